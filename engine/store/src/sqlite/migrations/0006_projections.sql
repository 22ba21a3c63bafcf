-- What consumers have made of the logs. Nothing here is the truth: all of it can be made anew.
CREATE TABLE projections (
  name    TEXT    NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL, -- of the way in which its rows are folded
  cursor  INTEGER NOT NULL  -- all events up to this one's `row_id` are in its rows
) STRICT, WITHOUT ROWID;

-- The list of conversations, each under its conversation's `row_id`. It has the indexes that stood on
-- `conversations`, where each append had to write to them; those are dropped before this.
CREATE TABLE conversation_rows (
  conversation INTEGER PRIMARY KEY,
  tenant       BLOB    NOT NULL,
  id           BLOB    NOT NULL,
  contact      TEXT    NOT NULL,
  head         INTEGER NOT NULL, -- it tells the events up to this one
  last_at      INTEGER NOT NULL,
  version      INTEGER NOT NULL, -- of the way in which it was folded; one of another version is made anew
  body         TEXT    NOT NULL  -- the rest of it, as JSON
) STRICT;
CREATE INDEX conversation_rows_by_activity ON conversation_rows (tenant, last_at DESC, id DESC);
CREATE INDEX conversation_rows_by_contact ON conversation_rows (tenant, contact, last_at DESC, id DESC);
-- What the list has shown so far it goes on showing, until the logs have been read.
INSERT INTO conversation_rows (conversation, tenant, id, contact, head, last_at, version, body)
  SELECT row_id, tenant, id, contact, head, last_at, 0, '{}' FROM conversations WHERE head > 0 AND tenant <> x'';
