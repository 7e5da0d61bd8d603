-- What a recipient answered, what an inbox item was answered with, and whether it is an exercise.
ALTER TABLE messages ADD COLUMN answer text NOT NULL DEFAULT '';          -- the recipient's last answer, JSON; '' = none
ALTER TABLE messages ADD COLUMN not_applicable text NOT NULL DEFAULT '';  -- why nothing in it concerns its recipient; '' = something does
ALTER TABLE inbox ADD COLUMN distribution_status text NOT NULL DEFAULT 'Actual';
ALTER TABLE inbox ADD COLUMN reference text NOT NULL DEFAULT '';          -- the distributionID of the last RC-REF sent for it; '' = none
ALTER TABLE inbox ADD COLUMN reference_rank integer NOT NULL DEFAULT 0;   -- its rank: only one of a higher rank is sent after it
ALTER TABLE inbox ADD COLUMN answer_status text NOT NULL DEFAULT '';      -- of an answer: the status that it gives the answered message

-- `put_into_inbox` of migration 5, which replicas of the version before call, with the distributionStatus and what an answer says: a delivery into an
-- inbox, its event and, where `told` is not NULL, a step for the sender's timeline; no row where it was there already. The
-- items of one inbox get their numbers in the order in which they can be read, so that no cursor passes one by.
CREATE FUNCTION put_into_inbox_v2(
    own text, for_publisher text, distribution text, sent_by text, sent_to text, kind text, version text, media text,
    about_case text, reference text, came_at double precision, losses text, document bytea, notify boolean, told text,
    told_detail text, status text, said text
) RETURNS TABLE (seq bigint, id text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    put_seq bigint;
    put_id text;
BEGIN
    PERFORM pg_advisory_xact_lock(7213, hashtext(for_publisher));
    INSERT INTO inbox (
        seq, id, publisher_id, distribution_id, sender, recipient, message_type, model_version, content_type, case_id,
        refers_to, received_at, loss, distribution_status, answer_status
    ) SELECT n, lpad(to_hex(n), 16, '0') || own, for_publisher, distribution, sent_by, sent_to, kind, version, media,
        about_case, put_into_inbox_v2.reference, came_at, losses, status, said
    FROM nextval('numbers') AS n
    ON CONFLICT (publisher_id, distribution_id, sender) DO NOTHING RETURNING seq, id INTO put_seq, put_id;
    IF put_seq IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO contents (seq, received_at, content) VALUES (put_seq, came_at, document);
    IF notify THEN
        INSERT INTO events (seq, publisher_id, since, next_at) VALUES (put_seq, for_publisher, came_at, came_at);
    END IF;
    IF told IS NOT NULL THEN
        INSERT INTO steps (message, step, at, detail)
        SELECT m.seq, told, came_at, told_detail FROM messages m
        WHERE m.distribution_id = distribution AND m.recipient = sent_to AND m.sender = sent_by;
    END IF;
    RETURN QUERY SELECT put_seq, put_id;
END
$$;
