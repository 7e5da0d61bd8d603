-- What an RS-SR is made an RC-RI from: the RC-RI of its case that the recipient was sent.
CREATE INDEX inbox_resources ON inbox (case_id, publisher_id, seq) WHERE message_type = 'RC-RI';
