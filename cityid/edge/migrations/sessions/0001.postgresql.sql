-- `tries` faults may still be made; `sealed` is NULL once erased; the row itself stays as a tombstone until `buried`.
-- Times are seconds since 1970.
CREATE TABLE sessions (
    id BYTEA PRIMARY KEY, until BIGINT NOT NULL, buried BIGINT NOT NULL, taken INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL, sealed BYTEA
);
CREATE INDEX sessions_due ON sessions(until) WHERE sealed IS NOT NULL;
CREATE INDEX sessions_buried ON sessions(buried);
