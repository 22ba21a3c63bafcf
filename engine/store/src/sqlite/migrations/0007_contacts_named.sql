-- The conversations and their events have the ids by now.
CREATE INDEX conversations_unspoken ON conversations (last_at, tenant, id)
  WHERE (head = 0 OR head = 1 AND anonymous = 1);
-- Snapshots have the name, too, and are made anew.
DELETE FROM snapshots;

UPDATE OR REPLACE records SET id = named.id FROM named
  WHERE records.kind = 'logout' AND named.tenant = records.scope AND named.name = records.id;
UPDATE records SET body = CAST(json_set(CAST(body AS TEXT), '$.visitors', json((
    SELECT json_group_object(named.id, visitor.value)
    FROM json_each(CAST(records.body AS TEXT), '$.visitors') AS visitor
    JOIN named ON named.tenant = records.scope AND named.name = visitor.key
  ))) AS BLOB)
  WHERE kind = 'usage' AND scope <> x'' AND json_valid(CAST(body AS TEXT))
    AND json_type(CAST(body AS TEXT), '$.visitors') = 'object';
-- Emptied first: that keeps no old pages.
DELETE FROM named;
DELETE FROM names;
DROP TABLE named;
DROP TABLE names;
