-- Access tokens that are refused before they expire. Each replica looks for those that the others revoked.
CREATE TABLE revoked (
    jti text PRIMARY KEY,
    expires_at double precision NOT NULL,
    revoked_at double precision NOT NULL
);
CREATE INDEX revoked_by_time ON revoked (revoked_at);
CREATE INDEX revoked_by_expiry ON revoked (expires_at);
