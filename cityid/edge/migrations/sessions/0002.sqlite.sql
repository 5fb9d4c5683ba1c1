-- Keys are drawn at random. Kept in their order, as WITHOUT ROWID does, every new row opened a page of sealed values of
-- its own; now values lie in the order in which they came, and only the narrow index of the keys is written at random.
CREATE TABLE sessions_by_row (
    id BLOB NOT NULL PRIMARY KEY, until INTEGER NOT NULL, buried INTEGER NOT NULL, taken INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL, sealed BLOB
);
INSERT INTO sessions_by_row (id, until, buried, taken, tries, sealed)
    SELECT id, until, buried, taken, tries, sealed FROM sessions;
DROP TABLE sessions;
ALTER TABLE sessions_by_row RENAME TO sessions;
CREATE INDEX sessions_due ON sessions(until) WHERE sealed IS NOT NULL;
CREATE INDEX sessions_buried ON sessions(buried);
