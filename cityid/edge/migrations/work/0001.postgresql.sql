-- Runs over tables that many machines work on, and their parts, sealed under a key outside the database; `secret` says
-- which key that is. `state` is waiting, done or failed, `tries` how often somebody began; times are seconds since 1970.
CREATE TABLE work_runs (
    name TEXT PRIMARY KEY, secret TEXT NOT NULL, at BIGINT NOT NULL, sealed BYTEA NOT NULL
);
CREATE TABLE work_parts (
    run TEXT NOT NULL REFERENCES work_runs(name) ON DELETE CASCADE, number BIGINT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', tries INTEGER NOT NULL DEFAULT 0, sealed BYTEA NOT NULL,
    PRIMARY KEY (run, number)
);
-- What is sealed does not get smaller.
ALTER TABLE work_runs ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE work_parts ALTER COLUMN sealed SET STORAGE EXTERNAL;
-- Which of its own migrations the queue's program has had.
CREATE TABLE work_scripts (name TEXT PRIMARY KEY);
