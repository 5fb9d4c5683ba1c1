-- An action about a card names it here too, so that the last about a card is found. Entries that are nobody's are few.
ALTER TABLE events ADD COLUMN card BIGINT;
CREATE INDEX events_card ON events(card, id) WHERE card IS NOT NULL;
CREATE INDEX entries_burnt ON entries(card, list, idx, value, position) WHERE card IS NULL;
CREATE INDEX moved_card ON moved(card, batch);
-- The log's tree above its leaves: the hash over 256^level leaves, so that it grows without being read again.
CREATE TABLE log_nodes (
    level INTEGER NOT NULL, idx BIGINT NOT NULL, hash BYTEA NOT NULL, PRIMARY KEY (level, idx)
);
