-- What is late is found by its own index, each second. It says `open::int = 1`, and so does who asks: said as `open`, an index of all that is
-- open may be taken for it, and a whole backlog be read.
CREATE INDEX messages_late ON messages (valid_until) WHERE open::int = 1 AND valid_until IS NOT NULL;
DROP INDEX messages_valid;
