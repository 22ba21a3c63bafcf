-- Snapshots: what a conversation's log says up to `head`, so that it need not be read from its beginning. A cache:
-- every row may be deleted at any time. `body` is read by the conversation alone.
CREATE TABLE snapshots (
  conversation INTEGER PRIMARY KEY, -- the number of its row in `conversations`
  head         INTEGER NOT NULL,
  body         BLOB    NOT NULL
) STRICT;
