-- `claim_lanes` of migration 5, which replicas of the version before call, with a bound of its own for lanes without an
-- urgent message: up to `room` ready lanes, of them up to `ordinary_room` such ones, leased for `hold` seconds, each with its
-- first message and that message's content, NULL where it is gone. Urgent lanes first; among each kind, publishers in turn
-- after the one that came last, each one's longest waiting first. `set_back`: the clock of `at` was, and what waits for a
-- retry is due.
CREATE FUNCTION lease_lanes(
    at double precision, set_back boolean, last_urgent text, last_ordinary text, room integer, ordinary_room integer,
    hold double precision
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
        room := CASE WHEN wanted THEN room ELSE least(room, ordinary_room) END;
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
