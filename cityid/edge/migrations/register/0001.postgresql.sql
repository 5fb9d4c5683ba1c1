CREATE TABLE lists (
    id BIGINT PRIMARY KEY, uri TEXT NOT NULL UNIQUE, bits INTEGER NOT NULL, size INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0, version BIGINT NOT NULL DEFAULT 0, open INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX lists_open ON lists(open) WHERE open = 1;
CREATE TABLE batches (id BIGINT PRIMARY KEY, key BYTEA NOT NULL UNIQUE, clerk TEXT NOT NULL, at BIGINT);
CREATE TABLE cards (
    id BIGINT PRIMARY KEY, number TEXT NOT NULL UNIQUE, type TEXT NOT NULL, format TEXT NOT NULL,
    starts BIGINT, ends BIGINT, state TEXT NOT NULL, deadline BIGINT,
    why TEXT NOT NULL DEFAULT '',
    batch BIGINT NOT NULL REFERENCES batches(id), clerk TEXT NOT NULL, at BIGINT NOT NULL
);
CREATE INDEX cards_type ON cards(type);
CREATE INDEX cards_state ON cards(state);
CREATE TABLE copies (
    card BIGINT NOT NULL REFERENCES cards(id), position INTEGER NOT NULL, holder TEXT NOT NULL,
    PRIMARY KEY (card, position)
);
CREATE INDEX copies_holder ON copies(holder) WHERE holder <> '';
-- An entry without a card is burnt: it was allotted, and is nobody's.
CREATE TABLE entries (
    list BIGINT NOT NULL REFERENCES lists(id), idx INTEGER NOT NULL, value INTEGER NOT NULL DEFAULT 0,
    card BIGINT, position INTEGER, PRIMARY KEY (list, idx), FOREIGN KEY (card, position) REFERENCES copies
);
CREATE INDEX entries_card ON entries(card, position) WHERE card IS NOT NULL;
CREATE INDEX entries_set ON entries(list, idx, value) WHERE value <> 0;
CREATE FUNCTION entries_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry that was allotted is never allotted again';
END $$;
CREATE TRIGGER entries_stay BEFORE DELETE OR TRUNCATE ON entries EXECUTE FUNCTION entries_stay();
CREATE TABLE moved (batch BIGINT NOT NULL, card BIGINT NOT NULL, PRIMARY KEY (batch, card));
CREATE TABLE changes (
    id BIGINT PRIMARY KEY, list BIGINT NOT NULL, idx INTEGER NOT NULL, value INTEGER NOT NULL,
    why TEXT NOT NULL, clerk TEXT NOT NULL, at BIGINT NOT NULL, FOREIGN KEY (list, idx) REFERENCES entries
);
CREATE INDEX changes_entry ON changes(list, idx);
-- The salt is for the leaf that an event becomes in the log of actions; erasing it makes the leaf say nothing.
CREATE TABLE events (
    id BIGINT PRIMARY KEY, kind TEXT NOT NULL, clerk TEXT NOT NULL, at BIGINT NOT NULL, facts TEXT NOT NULL,
    salt BYTEA
);
CREATE TABLE counters (name TEXT PRIMARY KEY, last BIGINT NOT NULL);
