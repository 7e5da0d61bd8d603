-- `mark_claims` of migration 5, which replicas of the version before call, written so that a lane is found by its name
-- whatever plan is made: while little was known of the tables, the lanes that are leased, or ready, could all be read for
-- each mark.
--
-- What came of claims, each by its message, lane and lease: nothing where the lane has another lease by now. A retry (asked
-- and standing 'received') is due at its `retry_at`. Gives those that counted, whether each stands as asked, and whether its
-- lane can be claimed.
CREATE FUNCTION settle_claims(
    seqs bigint[], names text[], leases bigint[], asked text[], retry_at double precision[],
    step_messages bigint[], step_names text[], step_times double precision[], step_details text[]
) RETURNS TABLE (seq bigint, moved boolean, ready boolean)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    valid bigint[];
    again bigint[];
BEGIN
    PERFORM 1 FROM lanes WHERE lane = ANY (names) ORDER BY lane FOR UPDATE;
    valid := ARRAY(
        SELECT g.seq FROM unnest(seqs, names, leases) AS g (seq, lane, lease)
        JOIN lanes l ON l.lane = g.lane AND l.lease IS NOT DISTINCT FROM g.lease
    );
    UPDATE messages m SET status = CASE WHEN m.status = 'received' THEN g.status ELSE m.status END,
        attempts = m.attempts + 1
    FROM unnest(seqs, asked) AS g (seq, status) WHERE m.seq = g.seq AND m.seq = ANY (valid);
    INSERT INTO steps (message, step, at, detail)
    SELECT g.message, g.step, g.at, g.detail
    FROM unnest(step_messages, step_names, step_times, step_details) WITH ORDINALITY AS g (message, step, at, detail, n)
    WHERE g.message = ANY (valid) ORDER BY g.n;
    again := ARRAY(
        SELECT m.seq FROM unnest(seqs, asked) AS g (seq, status) JOIN messages m USING (seq)
        WHERE m.seq = ANY (valid) AND g.status = 'received' AND m.status = 'received'
    );
    DELETE FROM queue WHERE seq = ANY (valid) AND seq <> ALL (again);
    UPDATE lanes l SET lease = NULL, leased_seq = NULL, leased_until = NULL,
        due_at = CASE WHEN g.seq = ANY (again) THEN g.due END, publisher_id = h.publisher_id, position = h.position,
        urgent = EXISTS (SELECT 1 FROM queue u WHERE u.lane = l.lane AND u.urgent)
    FROM unnest(seqs, names, retry_at) AS g (seq, lane, due)
    CROSS JOIN LATERAL (
        SELECT publisher_id, position FROM queue q WHERE q.lane = g.lane ORDER BY position LIMIT 1
    ) h
    WHERE g.seq = ANY (valid) AND l.lane = g.lane;
    DELETE FROM lanes l USING unnest(names, leases) AS g (lane, lease)
    WHERE l.lane = g.lane AND l.lease IS NOT DISTINCT FROM g.lease;  -- empty
    RETURN QUERY SELECT m.seq, m.status = g.status,
        coalesce((SELECT l.lease IS NULL AND l.due_at IS NULL FROM lanes l WHERE l.lane = g.lane), false)
    FROM unnest(seqs, names, asked) AS g (seq, lane, status) JOIN messages m USING (seq) WHERE m.seq = ANY (valid);
END
$$;
