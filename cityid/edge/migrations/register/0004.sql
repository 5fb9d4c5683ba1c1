-- The roll of voices: what makes that nobody has two. Who it is stands there by a pseudonym under the city's secret, and
-- `secret` tells which that was: under another everybody would be unknown. An action about a voice names it by its id.
CREATE TABLE voices (
    id BIGINT NOT NULL PRIMARY KEY, person TEXT NOT NULL UNIQUE, secret TEXT NOT NULL, commitment BYTEA NOT NULL,
    entropy BYTEA NOT NULL, since TEXT NOT NULL
);
