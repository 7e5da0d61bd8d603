-- Outside a transaction. The table of messages may be large: CONCURRENTLY, so that receipts go on while it is read.
--
-- Inbox items whose sender is to be told when nobody has answered by `expires_at`, until they are acknowledged or answered.
-- `expired_at`: when the sender was told, and the item flagged. What was delivered before this migration is not among them.
CREATE TABLE IF NOT EXISTS expiries (
    seq bigint PRIMARY KEY,
    expires_at double precision NOT NULL,
    expired_at double precision
);
CREATE INDEX IF NOT EXISTS expiries_due ON expiries (expires_at) WHERE expired_at IS NULL;
-- the answers of publishers, by what they answer
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_by_reference ON messages (refers_to) WHERE refers_to <> '';
