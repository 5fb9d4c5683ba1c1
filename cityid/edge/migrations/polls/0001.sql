-- What a platform keeps of a poll: one ballot for each pseudonym, and no time at which it came. A poll is named by its
-- hash, so that no row can be taken for another's.
CREATE TABLE ballots (
    poll TEXT NOT NULL, pseudonym TEXT NOT NULL, choice TEXT NOT NULL, ballot TEXT NOT NULL,
    PRIMARY KEY (poll, pseudonym)
);
