-- Outside a transaction. The tables may be large: CONCURRENTLY, so that receipts go on while they are read.
--
-- The history of a case: what a publisher sent as an id about it, and what that id was delivered of it. The types are those of
-- `TOLD_OF_A_CASE` in rows.py, word for word. `inbox_resources` goes with the last version that asks for resources told.
CREATE INDEX CONCURRENTLY IF NOT EXISTS messages_by_case ON messages (case_id, publisher_id, sender, seq)
WHERE message_type = 'RS-EDA' OR message_type = 'RS-SR' OR message_type = 'RS-RI' OR message_type = 'RS-EDA-MAJ'
OR message_type = 'RC-EDA' OR message_type = 'RC-RI';
CREATE INDEX CONCURRENTLY IF NOT EXISTS inbox_by_case ON inbox (case_id, publisher_id, recipient, seq)
WHERE message_type = 'RS-EDA' OR message_type = 'RS-SR' OR message_type = 'RS-RI' OR message_type = 'RS-EDA-MAJ'
OR message_type = 'RC-EDA' OR message_type = 'RC-RI';
