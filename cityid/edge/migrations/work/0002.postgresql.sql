-- What says no to a whole run, sealed: parts that are queued afterwards have failed with it. NULL while nothing does.
ALTER TABLE work_runs ADD COLUMN stopped BYTEA;
ALTER TABLE work_runs ALTER COLUMN stopped SET STORAGE EXTERNAL;
