-- The embedded store, version 3. Times are POSIX seconds.
-- `seq` is the order of arrival (microseconds since the epoch, strictly growing) and is shared by messages and inbox,
-- so that one table holds the contents of both. Contents stand apart: a change of status then rewrites a short row.

CREATE TABLE messages (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    publisher_id TEXT NOT NULL,
    distribution_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    media_type TEXT NOT NULL,
    message_type TEXT NOT NULL,
    model_version TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    case_id TEXT NOT NULL,
    refers_to TEXT NOT NULL,
    urgent INTEGER NOT NULL,
    quota TEXT NOT NULL,
    spent INTEGER NOT NULL,          -- 0 for what the gateway itself wrote: it counts against no quota
    received_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    lane TEXT NOT NULL,
    position INTEGER NOT NULL,       -- the place in the lane: `seq`, until a replay gives a later one
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at REAL,                    -- when the next attempt is due; NULL = at once
    timeline TEXT NOT NULL,          -- see `timeline.py`
    answer TEXT NOT NULL,            -- the recipient's last answer, JSON; '' = none
    not_applicable TEXT NOT NULL     -- why nothing in it concerns its recipient; '' = something does
);
CREATE UNIQUE INDEX messages_by_distribution ON messages (distribution_id, publisher_id);
CREATE INDEX messages_pending ON messages (position) WHERE status = 'received';
CREATE INDEX messages_dead ON messages (seq) WHERE status = 'dead';

CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    publisher_id TEXT NOT NULL,
    distribution_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    message_type TEXT NOT NULL,
    model_version TEXT NOT NULL,
    content_type TEXT NOT NULL,
    case_id TEXT NOT NULL,
    refers_to TEXT NOT NULL,
    received_at REAL NOT NULL,
    loss TEXT NOT NULL,              -- JSON
    acknowledged_at REAL,
    distribution_status TEXT NOT NULL,
    reference TEXT NOT NULL,         -- the distributionID of the last RC-REF that was sent for it; '' = none
    reference_rank INTEGER NOT NULL, -- its rank: only one of a higher rank is sent after it; -1 = a quiet delivery
    answer_status TEXT NOT NULL      -- of an answer: the status that it gives the answered message; '' = none
);
CREATE UNIQUE INDEX inbox_by_distribution ON inbox (publisher_id, distribution_id, sender);
CREATE INDEX inbox_waiting ON inbox (publisher_id) WHERE acknowledged_at IS NULL;

CREATE TABLE contents (
    seq INTEGER PRIMARY KEY,
    content BLOB NOT NULL
);

CREATE TABLE assertions (
    jti TEXT PRIMARY KEY,
    expires_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE probe (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL
);

PRAGMA user_version = 3;
