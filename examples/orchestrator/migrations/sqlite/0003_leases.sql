-- A run in flight has one owner, a process. The owner holds a lease that it renews: its runs are taken over only
-- after the lease has expired. `runs` is the number of runs that it owns.
CREATE TABLE owners (
    id         TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL,
    runs       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Incremented by every change of the status or the owner.
ALTER TABLE workflow_runs ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
-- Crashes of the owner while it executed no other run.
ALTER TABLE workflow_runs ADD COLUMN crashes_alone INTEGER NOT NULL DEFAULT 0;
-- Start of the segment in flight.
ALTER TABLE workflow_runs ADD COLUMN resumed_at INTEGER;

CREATE INDEX workflow_runs_by_owner ON workflow_runs (owner, status) WHERE owner IS NOT NULL;
