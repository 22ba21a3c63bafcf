-- `Tert`: how a file says that it is ours.
PRAGMA application_id = 1415934580;

-- Conversations: one row each, with the fence `(epoch, head)` that every append checks.
-- Ids are the 16 bytes under their text. Times are milliseconds since 1970.
CREATE TABLE conversations (
  row_id  INTEGER PRIMARY KEY,
  tenant  BLOB    NOT NULL,
  id      BLOB    NOT NULL,
  contact TEXT    NOT NULL,
  epoch   INTEGER NOT NULL,
  head    INTEGER NOT NULL,
  last_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX conversations_by_id ON conversations (tenant, id);
CREATE INDEX conversations_by_activity ON conversations (tenant, last_at DESC, id DESC);
CREATE INDEX conversations_by_contact ON conversations (tenant, contact, last_at DESC, id DESC);

-- The log. A table in order of arrival with a narrow index writes about four times less than one
-- ordered by key: each commit touches the table's last page only.
CREATE TABLE events (
  row_id       INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  w_epoch      INTEGER NOT NULL, -- the owner's number when it was written
  format       INTEGER NOT NULL, -- how to read `body`; 1 is the event as JSON
  body         TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_seq ON events (conversation, seq);

-- Small documents. The node's own have an empty scope, a tenant's its 16 bytes.
CREATE TABLE records (
  row_id  INTEGER PRIMARY KEY,
  scope   BLOB    NOT NULL,
  kind    TEXT    NOT NULL,
  id      TEXT    NOT NULL,
  version INTEGER NOT NULL,
  body    BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_by_name ON records (scope, kind, id);
