-- Whether anything in the clear may be left between what is stored, where SQLite does not overwrite: 0 as long as it may,
-- 3 since the file was rewritten and while its log still holds the old pages, 1 since that was emptied, too; 2 in a file
-- that never had any.
ALTER TABLE installation ADD COLUMN rewritten INTEGER NOT NULL DEFAULT 0;
