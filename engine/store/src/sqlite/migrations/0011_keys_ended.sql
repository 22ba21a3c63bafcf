-- How many ends of keys the keys of this file know of, at least: keys that know of fewer are older, and what was erased
-- since is open in them.
ALTER TABLE installation ADD COLUMN keys_ended INTEGER NOT NULL DEFAULT 0;
