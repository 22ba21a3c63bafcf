-- Keys by which records are found: each is one record's of its kind.
CREATE TABLE record_keys (
  scope BLOB NOT NULL,
  kind  TEXT NOT NULL,
  key   TEXT NOT NULL,
  id    TEXT NOT NULL, -- the record's
  PRIMARY KEY (scope, kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_keys_by_record ON record_keys (scope, kind, id);

-- A conversation is with a contact, whom an id names. Until now it was with a name: each name becomes an identity in
-- the record of a contact with a new id, and stands nowhere else any more. The names of anonymous contacts have their
-- id in them, and need no record. The two tables stand in the file until the step ends: in memory they would take as
-- much as there are names.
CREATE TABLE names (tenant BLOB NOT NULL, name TEXT NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID;
INSERT OR IGNORE INTO names SELECT tenant, contact FROM conversations WHERE tenant <> x'' AND contact <> '';
INSERT OR IGNORE INTO names SELECT scope, id FROM records WHERE kind = 'logout' AND scope <> x'';
INSERT OR IGNORE INTO names
  SELECT scope, visitor.key FROM records, json_each(CAST(body AS TEXT), '$.visitors') AS visitor
  WHERE kind = 'usage' AND scope <> x'' AND json_valid(CAST(body AS TEXT));
CREATE TABLE named (
  tenant       BLOB    NOT NULL,
  name         TEXT    NOT NULL,
  id           TEXT    NOT NULL,
  is_anonymous INTEGER NOT NULL,
  PRIMARY KEY (tenant, name)
) WITHOUT ROWID;
INSERT INTO named
  SELECT tenant, name, 'ct_' || substr(name, -32), 1 FROM names
  WHERE name GLOB 'anon_' || replace(hex(zeroblob(16)), '0', '[0-9a-f]')
    OR name GLOB 'ct_' || replace(hex(zeroblob(16)), '0', '[0-9a-f]');
-- UUIDs of version 7, as ids made by the program are.
INSERT OR IGNORE INTO named
  SELECT tenant, name,
    'ct_' || printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)) || '7' || substr(lower(hex(randomblob(2))), 2)
      || '8' || substr(lower(hex(randomblob(2))), 2) || lower(hex(randomblob(6))), 0
  FROM names;

INSERT INTO records (scope, kind, id, version, body)
  SELECT tenant, 'contact', id, 1, CAST(json_object(
    'format', 1, 'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    'identities', json_array(json_object('kind', 'external', 'value', name,
      'at', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 'by', 'system', 'way', 'migration'))
  ) AS BLOB) FROM named WHERE NOT is_anonymous;
INSERT INTO record_keys (scope, kind, key, id)
  SELECT tenant, 'contact', 'external:' || name, id FROM named WHERE NOT is_anonymous;

-- Whether nobody has named the contact when the conversation was opened.
ALTER TABLE conversations ADD COLUMN anonymous INTEGER NOT NULL DEFAULT 0;
DROP INDEX conversations_unspoken;
