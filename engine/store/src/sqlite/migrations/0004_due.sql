-- When each conversation has something to do without being asked: one entry each at most, under its row. Tenant
-- and id stand there again, so that the index alone answers who is due.
CREATE TABLE due (
  conversation INTEGER PRIMARY KEY,
  at           INTEGER NOT NULL,
  tenant       BLOB    NOT NULL,
  id           BLOB    NOT NULL
) STRICT;
CREATE INDEX due_by_moment ON due (at, tenant, id);
-- What earlier versions left behind may have something to do, unless it has ended with its closing: each looks once,
-- the newest first, two hundred in a second. Inside another event's text its quotes are escaped, so that no
-- message looks like a closing.
INSERT INTO due (conversation, at, tenant, id)
  SELECT row_id, CAST(unixepoch('subsec') * 1000 AS INTEGER) + 5 * row_number() OVER (ORDER BY last_at DESC, row_id DESC),
    tenant, id
  FROM conversations
  WHERE head > 0 AND tenant <> x'' AND NOT EXISTS (
    SELECT 1 FROM events
    WHERE events.conversation = conversations.row_id AND events.seq = conversations.head
      AND instr(body, '"type":"closed"') > 0
  );
