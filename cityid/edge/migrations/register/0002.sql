-- Who a card is for (by pseudonym), whose record it is, on which device; values only where the city keeps them, sealed.
ALTER TABLE cards ADD COLUMN row_key BYTEA;
ALTER TABLE cards ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE cards ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE cards ADD COLUMN department TEXT NOT NULL DEFAULT '';
ALTER TABLE cards ADD COLUMN device TEXT NOT NULL DEFAULT '';
ALTER TABLE cards ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
ALTER TABLE cards ADD COLUMN claims BYTEA;
CREATE UNIQUE INDEX cards_row_key ON cards(row_key) WHERE row_key IS NOT NULL;
CREATE INDEX cards_subject ON cards(subject) WHERE subject <> '';
CREATE INDEX cards_device ON cards(device) WHERE device <> '';
CREATE INDEX cards_clerk ON cards(clerk);
CREATE INDEX cards_at ON cards(at);
-- What was published last; -1: nothing yet.
ALTER TABLE lists ADD COLUMN published BIGINT NOT NULL DEFAULT -1;
ALTER TABLE lists ADD COLUMN published_at BIGINT;
-- An event has a leaf and a position from when the sequencer saw it; leaves stay when salts are erased.
ALTER TABLE events ADD COLUMN leaf BYTEA;
ALTER TABLE events ADD COLUMN position BIGINT;
CREATE UNIQUE INDEX events_position ON events(position) WHERE position IS NOT NULL;
CREATE INDEX events_waiting ON events(id) WHERE position IS NULL;
CREATE TABLE checkpoints (size BIGINT PRIMARY KEY, root BYTEA NOT NULL, at BIGINT NOT NULL, note TEXT NOT NULL);
CREATE TABLE keys (
    thumbprint TEXT PRIMARY KEY, label TEXT NOT NULL, algorithm TEXT NOT NULL, since BIGINT NOT NULL, until BIGINT,
    why TEXT NOT NULL DEFAULT ''
);
CREATE TABLE clerks (
    name TEXT PRIMARY KEY, department TEXT NOT NULL, rights TEXT NOT NULL, types TEXT NOT NULL,
    secret TEXT NOT NULL, since BIGINT NOT NULL, until BIGINT
);
