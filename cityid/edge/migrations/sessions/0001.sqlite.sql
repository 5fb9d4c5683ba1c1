-- `tries` faults may still be made; `sealed` is NULL once erased; the row itself stays as a tombstone until `buried`.
-- Times are seconds since 1970.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY, until INTEGER NOT NULL, buried INTEGER NOT NULL, taken INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL, sealed BLOB
) WITHOUT ROWID;
CREATE INDEX sessions_due ON sessions(until) WHERE sealed IS NOT NULL;
CREATE INDEX sessions_buried ON sessions(buried);
