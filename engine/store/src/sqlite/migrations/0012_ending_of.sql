-- Whose keys are to end, so that who asks for an erasure again is told that it is not done yet. Of keys that an earlier
-- version has noted it is not known.
ALTER TABLE ending_keys ADD COLUMN tenant BLOB;
ALTER TABLE ending_keys ADD COLUMN conversation BLOB;
ALTER TABLE ending_keys ADD COLUMN contact TEXT;
CREATE INDEX ending_keys_by_conversation ON ending_keys (tenant, conversation);
