-- The shared store. Times are POSIX seconds, but for leases, which live by the server's clock.
--
-- Migrations run at start, one transaction each, while replicas of the version before go on working: so they only add
-- (tables, indexes, columns with a default), and what is to go goes one version after the last reader of it.
--
-- `seq` is the order of arrival, shared by messages and inbox. What waits to be forwarded stands apart (`queue`, one row
-- a message; `lanes`, one row for each lane that has some), so that neither waiting nor claiming depends on how many
-- messages are stored, and a change of status touches no index.

CREATE SEQUENCE numbers;
CREATE SEQUENCE leases;

CREATE TABLE messages (
    seq bigint PRIMARY KEY,
    id text NOT NULL,
    publisher_id text NOT NULL,
    distribution_id text NOT NULL,
    digest bytea NOT NULL,
    media_type text NOT NULL,
    message_type text NOT NULL,
    model_version text NOT NULL,
    sender text NOT NULL,
    recipient text NOT NULL,
    case_id text NOT NULL,
    refers_to text NOT NULL,
    urgent boolean NOT NULL,
    quota text NOT NULL,
    spent boolean NOT NULL,          -- false for what the gateway itself wrote: it counts against no quota
    received_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    lane text NOT NULL,
    status text NOT NULL DEFAULT 'received',
    attempts integer NOT NULL DEFAULT 0
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX messages_by_distribution ON messages (distribution_id, publisher_id);
CREATE INDEX messages_by_publisher ON messages (publisher_id, seq);
CREATE INDEX messages_by_time ON messages USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE queue (
    seq bigint PRIMARY KEY,
    position bigint NOT NULL,        -- the place in the lane: `seq`, until a replay gives a later one
    lane text NOT NULL,
    publisher_id text NOT NULL,
    urgent boolean NOT NULL,
    received_at double precision NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX queue_by_lane ON queue (lane, position);
CREATE INDEX queue_urgent ON queue (lane) WHERE urgent;

-- A lane exists for as long as messages of it wait. Its row is the lock: who changes what waits in it, holds it.
CREATE TABLE lanes (
    lane text PRIMARY KEY,
    publisher_id text NOT NULL,      -- of the message that waits longest
    position bigint NOT NULL,        -- its place
    urgent boolean NOT NULL,         -- whether any message of it is
    due_at double precision,         -- when a retry is due, NULL = at once
    lease bigint,                    -- who forwards its first message: a number of its own for every claim
    leased_seq bigint,
    leased_until timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX lanes_ready ON lanes (urgent, publisher_id, position) WHERE lease IS NULL AND due_at IS NULL;
CREATE INDEX lanes_due ON lanes (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX lanes_leased ON lanes (leased_until) WHERE lease IS NOT NULL;

CREATE TABLE dead (
    seq bigint PRIMARY KEY
);

CREATE TABLE steps (
    message bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    step text NOT NULL,
    at double precision NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (message, number)
);

CREATE TABLE inbox (
    seq bigint PRIMARY KEY,
    id text NOT NULL,
    publisher_id text NOT NULL,
    distribution_id text NOT NULL,
    sender text NOT NULL,
    recipient text NOT NULL,
    message_type text NOT NULL,
    model_version text NOT NULL,
    content_type text NOT NULL,
    case_id text NOT NULL,
    refers_to text NOT NULL,
    received_at double precision NOT NULL,
    loss text NOT NULL,              -- JSON
    acknowledged_at double precision
);
CREATE UNIQUE INDEX inbox_by_distribution ON inbox (publisher_id, distribution_id, sender);
CREATE INDEX inbox_waiting ON inbox (publisher_id, seq) WHERE acknowledged_at IS NULL;

CREATE TABLE contents (
    seq bigint PRIMARY KEY,
    received_at double precision NOT NULL,
    content bytea NOT NULL
) WITH (toast_tuple_target = 8160);
ALTER TABLE contents ALTER COLUMN content SET STORAGE EXTERNAL;  -- ordinary messages stay in the row, uncompressed
CREATE INDEX contents_by_time ON contents (received_at);

CREATE TABLE assertions (
    jti text PRIMARY KEY,
    expires_at double precision NOT NULL
);
CREATE INDEX assertions_by_time ON assertions (expires_at);

CREATE TABLE probe (
    id integer PRIMARY KEY,
    at double precision NOT NULL
);
