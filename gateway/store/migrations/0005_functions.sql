-- What is done for every message on its way out and in, as one call each, which is a transaction of its own: between the
-- statements of a longer one, the network and the replica's event loop keep locks and everyone who waits for them.
--
-- Replicas of two versions call these side by side: a function whose arguments or columns change gets a new name.
--
-- Where arrays of one length or another come as arguments, the plan for all of them is as good as one made anew each time,
-- which takes longer than the work: force_generic_plan.

-- Up to `room` publishers that have ready lanes, each found by one look into the index, after the one that came last.
CREATE FUNCTION ready_publishers(wanted boolean, last text, room integer) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(
        WITH RECURSIVE next AS (
            (SELECT publisher_id, 1 AS n FROM lanes
             WHERE lease IS NULL AND due_at IS NULL AND urgent = wanted AND publisher_id > last
             ORDER BY publisher_id LIMIT 1)
            UNION ALL
            SELECT f.publisher_id, next.n + 1 FROM next CROSS JOIN LATERAL (
                SELECT publisher_id FROM lanes
                WHERE lease IS NULL AND due_at IS NULL AND urgent = wanted AND publisher_id > next.publisher_id
                ORDER BY publisher_id LIMIT 1
            ) f WHERE next.n < room
        )
        SELECT publisher_id FROM next ORDER BY n
    );
END
$$;

-- Up to `room` ready lanes, leased for `hold` seconds, each with its first message and that message's content, NULL where it
-- is gone. Urgent lanes first; among each kind, publishers in turn after the one that came last, each one's longest waiting
-- first. `set_back`: the clock of `at` was, and what waits for a retry is due.
CREATE FUNCTION claim_lanes(
    at double precision, set_back boolean, last_urgent text, last_ordinary text, room integer, hold double precision
) RETURNS TABLE (urgent_lane boolean, lease bigint, message messages, content bytea)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    wanted boolean;
    last text;
    turns text[];
    share integer;
    picked text[];
    fullest integer;
    leased integer;
    taken text[] := '{}';
    kinds boolean[] := '{}';
BEGIN
    IF set_back THEN
        UPDATE lanes SET due_at = NULL WHERE lane = ANY (ARRAY(
            SELECT lane FROM lanes WHERE due_at IS NOT NULL ORDER BY lane FOR UPDATE SKIP LOCKED
        ));
    END IF;
    -- in order, so that the index passes over rows long gone
    UPDATE lanes SET due_at = NULL WHERE lane = ANY (ARRAY(
        SELECT lane FROM lanes WHERE due_at <= at ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED
    ));
    FOREACH wanted IN ARRAY ARRAY[true, false] LOOP
        last := CASE WHEN wanted THEN last_urgent ELSE last_ordinary END;
        WHILE room > 0 LOOP
            turns := ready_publishers(wanted, last, room);
            IF last <> '' AND cardinality(turns) < room THEN
                turns := turns || ARRAY(
                    SELECT p FROM unnest(ready_publishers(wanted, '', room - cardinality(turns)))
                    WITH ORDINALITY AS g (p, n) WHERE p <> ALL (turns) ORDER BY n
                );
            END IF;
            EXIT WHEN cardinality(turns) = 0;
            share := ceil(room::numeric / cardinality(turns));
            WITH found AS (
                SELECT f.lane, p.turn, row_number() OVER (PARTITION BY p.turn ORDER BY f.position) AS place
                FROM unnest(turns) WITH ORDINALITY AS p (publisher_id, turn)
                CROSS JOIN LATERAL (
                    SELECT lane, position FROM lanes WHERE lease IS NULL AND due_at IS NULL AND urgent = wanted
                    AND publisher_id = p.publisher_id ORDER BY position LIMIT share FOR UPDATE SKIP LOCKED
                ) f
            ), those AS (SELECT * FROM found ORDER BY place, turn LIMIT room)
            SELECT coalesce(array_agg(lane ORDER BY place, turn), '{}'), max(place),
                coalesce((SELECT turns[turn] FROM those ORDER BY place DESC, turn DESC LIMIT 1), last)
            INTO picked, fullest, last FROM those;
            UPDATE lanes l SET lease = nextval('leases'), leased_seq = h.seq,
                leased_until = statement_timestamp() + hold * interval '1 second'
            FROM unnest(picked) AS g (lane)
            CROSS JOIN LATERAL (SELECT seq FROM queue q WHERE q.lane = g.lane ORDER BY position LIMIT 1) h
            WHERE l.lane = g.lane;
            GET DIAGNOSTICS leased = ROW_COUNT;
            IF leased < cardinality(picked) THEN  -- what was in them was acknowledged under way
                DELETE FROM lanes WHERE lane = ANY (picked) AND lease IS NULL;
            END IF;
            taken := taken || picked;
            kinds := kinds || array_fill(wanted, ARRAY[cardinality(picked)]);
            room := room - leased;
            EXIT WHEN fullest IS DISTINCT FROM share;  -- nobody has more
        END LOOP;
    END LOOP;
    IF cardinality(taken) > 0 THEN
        RETURN QUERY SELECT t.urgent_lane, l.lease, m, c.content
        FROM unnest(taken, kinds) WITH ORDINALITY AS t (lane, urgent_lane, n)
        JOIN lanes l ON l.lane = t.lane
        JOIN messages m ON m.seq = l.leased_seq
        LEFT JOIN contents c ON c.seq = l.leased_seq
        ORDER BY t.n;
    END IF;
END
$$;

-- What came of claims, each by its message, lane and lease: nothing where the lane has another lease by now. A retry (asked
-- and standing 'received') is due at its `retry_at`. Gives those that counted, whether each stands as asked, and whether its
-- lane can be claimed.
CREATE FUNCTION mark_claims(
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
        SELECT g.seq FROM unnest(seqs, names, leases) AS g (seq, lane, lease) JOIN lanes l USING (lane, lease)
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
    DELETE FROM lanes l USING unnest(names, leases) AS g (lane, lease) WHERE l.lane = g.lane AND l.lease = g.lease;  -- empty
    RETURN QUERY SELECT m.seq, m.status = g.status,
        EXISTS (SELECT 1 FROM lanes l WHERE l.lane = g.lane AND l.lease IS NULL AND l.due_at IS NULL)
    FROM unnest(seqs, names, asked) AS g (seq, lane, status) JOIN messages m USING (seq) WHERE m.seq = ANY (valid);
END
$$;

-- A delivery into an inbox, its event and, where `told` is not NULL, a step for the sender's timeline; no row where it was
-- there already. The items of one inbox get their numbers in the order in which they can be read, so that no cursor passes
-- one by.
CREATE FUNCTION put_into_inbox(
    own text, for_publisher text, distribution text, sent_by text, sent_to text, kind text, version text, media text,
    about_case text, reference text, came_at double precision, losses text, document bytea, notify boolean, told text,
    told_detail text
) RETURNS TABLE (seq bigint, id text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    put_seq bigint;
    put_id text;
BEGIN
    PERFORM pg_advisory_xact_lock(7213, hashtext(for_publisher));
    INSERT INTO inbox (
        seq, id, publisher_id, distribution_id, sender, recipient, message_type, model_version, content_type, case_id,
        refers_to, received_at, loss
    ) SELECT n, lpad(to_hex(n), 16, '0') || own, for_publisher, distribution, sent_by, sent_to, kind, version, media,
        about_case, reference, came_at, losses
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
