-- No key with a higher number than `keys_to` was ever used in this file: keys that lack it are older than the file.
ALTER TABLE installation ADD COLUMN keys_to INTEGER NOT NULL DEFAULT 0;
UPDATE installation SET keys_to = max(
  (SELECT coalesce(max(key_id), 0) FROM conversations),
  (SELECT coalesce(max(key_id), 0) FROM ending_keys)
);
