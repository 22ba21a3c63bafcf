-- Anonymous conversations in which nobody has said a word, by age: what is taken away by and by. In each
-- stands its opening at most.
CREATE INDEX conversations_unspoken ON conversations (last_at, tenant, id)
  WHERE (head = 0 OR head = 1 AND contact GLOB 'anon_*');
