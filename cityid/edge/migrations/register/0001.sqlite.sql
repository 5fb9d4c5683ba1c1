CREATE TABLE lists (
    id INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, bits INTEGER NOT NULL, size INTEGER NOT NULL,
    used INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0, open INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX lists_open ON lists(open) WHERE open = 1;
CREATE TABLE batches (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, clerk TEXT NOT NULL, at INTEGER);
CREATE TABLE cards (
    id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE, type TEXT NOT NULL, format TEXT NOT NULL,
    starts INTEGER, ends INTEGER, state TEXT NOT NULL, deadline INTEGER,
    why TEXT NOT NULL DEFAULT '',
    batch INTEGER NOT NULL REFERENCES batches(id), clerk TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX cards_type ON cards(type);
CREATE INDEX cards_state ON cards(state);
CREATE TABLE copies (
    card INTEGER NOT NULL REFERENCES cards(id), position INTEGER NOT NULL, holder TEXT NOT NULL,
    PRIMARY KEY (card, position)
) WITHOUT ROWID;
CREATE INDEX copies_holder ON copies(holder) WHERE holder <> '';
-- An entry without a card is burnt: it was allotted, and is nobody's.
CREATE TABLE entries (
    list INTEGER NOT NULL REFERENCES lists(id), idx INTEGER NOT NULL, value INTEGER NOT NULL DEFAULT 0,
    card INTEGER, position INTEGER, PRIMARY KEY (list, idx), FOREIGN KEY (card, position) REFERENCES copies
) WITHOUT ROWID;
CREATE INDEX entries_card ON entries(card, position) WHERE card IS NOT NULL;
CREATE INDEX entries_set ON entries(list, idx, value) WHERE value <> 0;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries BEGIN
    SELECT RAISE(ABORT, 'an entry that was allotted is never allotted again');
END;
CREATE TABLE moved (batch INTEGER NOT NULL, card INTEGER NOT NULL, PRIMARY KEY (batch, card)) WITHOUT ROWID;
CREATE TABLE changes (
    id INTEGER PRIMARY KEY, list INTEGER NOT NULL, idx INTEGER NOT NULL, value INTEGER NOT NULL,
    why TEXT NOT NULL, clerk TEXT NOT NULL, at INTEGER NOT NULL, FOREIGN KEY (list, idx) REFERENCES entries
);
CREATE INDEX changes_entry ON changes(list, idx);
-- The salt is for the leaf that an event becomes in the log of actions; erasing it makes the leaf say nothing.
CREATE TABLE events (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, clerk TEXT NOT NULL, at INTEGER NOT NULL, facts TEXT NOT NULL,
    salt BLOB
);
CREATE TABLE counters (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
