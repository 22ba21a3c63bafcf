-- A document's text goes into a record of its own: a list of documents then reads no texts. One with a NUL in it,
-- which SQLite's JSON would end there, stays where it is and is read from there.
INSERT INTO records (scope, kind, id, version, body)
  SELECT scope, 'document_text', id, 1, CAST(json_extract(CAST(body AS TEXT), '$.text') AS BLOB)
  FROM records
  WHERE kind = 'document' AND json_valid(CAST(body AS TEXT)) AND instr(CAST(body AS TEXT), '\u0000') = 0
    AND json_type(CAST(body AS TEXT), '$.text') = 'text';
UPDATE records SET body = CAST(json_remove(CAST(body AS TEXT), '$.text') AS BLOB)
  WHERE kind = 'document' AND EXISTS (
    SELECT 1 FROM records AS text WHERE text.scope = records.scope AND text.kind = 'document_text' AND text.id = records.id
  );
