-- What a platform keeps of a poll: one ballot for each pseudonym, and no time at which it came. A poll is named by its
-- hash, so that no row can be taken for another's.
CREATE TABLE ballots (
    poll TEXT NOT NULL, pseudonym TEXT NOT NULL, choice TEXT NOT NULL, ballot TEXT NOT NULL,
    PRIMARY KEY (poll, pseudonym)
);
-- What city hall keeps of its residents' voices. Octets are base64url.
CREATE TABLE voices (
    person TEXT PRIMARY KEY, committed TEXT NOT NULL, nym_entropy TEXT NOT NULL, since TEXT NOT NULL
);
