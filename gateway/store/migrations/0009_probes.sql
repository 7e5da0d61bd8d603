-- One lane that is due for a probe, leased for `hold` seconds, with its first message and that message's content, NULL where it
-- is gone. `probed`: the publishers that had a probe, the last one at the end. With `new_first` lanes whose first message was
-- never tried come first, of these urgent ones, of equal ones the publisher's that was probed longest ago; without it that
-- publisher comes first. Of those that were tried, the one that is due for longest. `set_back`: the clock of `at` was, and what
-- waits for a retry is due.
--
-- What waited for a retry keeps its `due_at` here, so that the ready lanes are those that were never tried, but for some that
-- `lease_lanes` found due and had no room for. So a look at the first 1,000 of each kind is enough, however many wait.
CREATE FUNCTION lease_probe(
    at double precision, set_back boolean, probed text[], new_first boolean, hold double precision
) RETURNS TABLE (lease bigint, message messages, content bytea)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    candidate text;
    found_seq bigint;
BEGIN
    IF set_back THEN
        UPDATE lanes SET due_at = NULL WHERE lane = ANY (ARRAY(
            SELECT lane FROM lanes WHERE due_at IS NOT NULL ORDER BY lane FOR UPDATE SKIP LOCKED
        ));
    END IF;
    FOR candidate IN
        WITH publishers AS (
            SELECT wanted, p.publisher_id
            FROM unnest(ARRAY[true, false]) AS g (wanted)
            CROSS JOIN LATERAL unnest(ready_publishers(wanted, '', 10000)) AS p (publisher_id)
        ), ready AS (  -- of each publisher and kind the first one that was never tried, and the first one
            SELECT p.publisher_id, p.wanted AS is_urgent, f.lane, f.tried, '-infinity'::float8 AS due, f.position
            FROM publishers p CROSS JOIN LATERAL (
                (SELECT l.lane, l.position, false AS tried FROM (
                    SELECT lane, position FROM lanes
                    WHERE lease IS NULL AND due_at IS NULL AND urgent = p.wanted AND publisher_id = p.publisher_id
                    ORDER BY position LIMIT 1000
                ) l
                WHERE (
                    SELECT m.attempts FROM messages m WHERE m.seq = (
                        SELECT q.seq FROM queue q WHERE q.lane = l.lane ORDER BY q.position LIMIT 1
                    )
                ) = 0
                ORDER BY l.position LIMIT 1)
                UNION ALL
                (SELECT lane, position, true AS tried FROM lanes
                WHERE lease IS NULL AND due_at IS NULL AND urgent = p.wanted AND publisher_id = p.publisher_id
                ORDER BY position LIMIT 1)
            ) f
        ), waited AS (
            SELECT publisher_id, false AS is_urgent, lane, true AS tried, due_at AS due, position FROM lanes
            WHERE due_at <= at ORDER BY due_at LIMIT 1000
        )
        SELECT lane FROM (SELECT * FROM ready UNION ALL SELECT * FROM waited) c
        ORDER BY
            CASE WHEN new_first THEN tried END, CASE WHEN new_first THEN NOT tried AND NOT is_urgent END,
            array_position(probed, publisher_id) NULLS FIRST, tried, NOT tried AND NOT is_urgent, due, position
    LOOP
        PERFORM 1 FROM lanes l
        WHERE l.lane = candidate AND l.lease IS NULL AND (l.due_at IS NULL OR l.due_at <= at) FOR UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;  -- another replica takes it
        SELECT q.seq INTO found_seq FROM queue q WHERE q.lane = candidate ORDER BY q.position LIMIT 1;
        IF NOT FOUND THEN  -- what was in it was acknowledged under way
            DELETE FROM lanes WHERE lane = candidate;
            CONTINUE;
        END IF;
        UPDATE lanes SET lease = nextval('leases'), leased_seq = found_seq, due_at = NULL,
            leased_until = statement_timestamp() + hold * interval '1 second'
        WHERE lane = candidate;
        RETURN QUERY SELECT l.lease, m, c.content
        FROM lanes l JOIN messages m ON m.seq = l.leased_seq LEFT JOIN contents c ON c.seq = l.leased_seq
        WHERE l.lane = candidate;
        RETURN;
    END LOOP;
END
$$;

-- `settle_claims` of migration 7 where attempts in vain are among the claims of which only the last one is kept, beside the
-- first ten of its message: the step of the one before goes. The detail of the new one says which it is.
CREATE FUNCTION settle_late_claims(
    seqs bigint[], names text[], leases bigint[], asked text[], retry_at double precision[],
    step_messages bigint[], step_names text[], step_times double precision[], step_details text[]
) RETURNS TABLE (seq bigint, moved boolean, ready boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM lanes WHERE lane = ANY (names) ORDER BY lane FOR UPDATE;
    DELETE FROM steps s USING (
        SELECT m.seq, (
            SELECT number FROM steps WHERE message = m.seq AND step = 'retry' ORDER BY number DESC LIMIT 1
        ) AS number
        FROM unnest(seqs, names, leases, asked) AS g (seq, lane, lease, status)
        JOIN lanes l ON l.lane = g.lane AND l.lease IS NOT DISTINCT FROM g.lease
        JOIN messages m ON m.seq = g.seq
        WHERE g.status = 'received' AND m.attempts > 10
    ) before WHERE s.message = before.seq AND s.number = before.number;
    RETURN QUERY SELECT * FROM settle_claims(
        seqs, names, leases, asked, retry_at, step_messages, step_names, step_times, step_details
    );
END
$$;
