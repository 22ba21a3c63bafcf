-- Whether anything in the clear may be left between what is stored, where SQLite does not overwrite: 0 as long as it may,
-- 1 since the file was rewritten, 2 in one that never had any.
ALTER TABLE installation ADD COLUMN wiped INTEGER NOT NULL DEFAULT 0;
