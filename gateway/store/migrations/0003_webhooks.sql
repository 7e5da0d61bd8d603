-- Of which inbox items a publisher's webhook is still to tell. A row lives from the deposit until that is done, given up,
-- or not needed any more because the item left the inbox.
CREATE TABLE events (
    seq bigint PRIMARY KEY,          -- the item's
    publisher_id text NOT NULL,
    since double precision NOT NULL, -- when the item came
    next_at double precision NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    held_until timestamptz           -- for how long an attempt is under way
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX events_due ON events (publisher_id, next_at, seq);
CREATE INDEX events_held ON events (publisher_id) WHERE held_until IS NOT NULL;
CREATE INDEX events_by_time ON events (since);

-- Webhooks that answered 410: they want nothing more.
CREATE TABLE disabled_endpoints (
    publisher_id text PRIMARY KEY,
    url text NOT NULL,
    disabled_at double precision NOT NULL
);
