-- Texts are sealed under a key of their conversation; the keys are kept apart from this file. What is erased is
-- removed here, and its key ends, so that copies of this file cannot be read either.
-- The number of its key; none in what an earlier version has left, until it is owned or sealed.
ALTER TABLE conversations ADD COLUMN key_id INTEGER;
-- Format 2: `body` is the event as JSON without its texts, and these stand in `sealed`, if it has some.
ALTER TABLE events ADD COLUMN sealed BLOB;
-- The words in a row.
ALTER TABLE conversation_rows ADD COLUMN sealed BLOB;
-- From here on `body` of a snapshot is sealed. Those that are there are not, and are made anew.
DELETE FROM snapshots;
-- Keys whose conversations are gone, and which may not have ended yet.
CREATE TABLE ending_keys (key_id INTEGER PRIMARY KEY) STRICT;
-- Whose keys open this file: one row. All events up to `sealed_to`, in the order of arrival, are sealed.
CREATE TABLE installation (
  id        BLOB    NOT NULL,
  sealed_to INTEGER NOT NULL
) STRICT;
