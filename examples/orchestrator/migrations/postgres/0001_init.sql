-- Times are milliseconds since 1970, by the clock of the database. JSON is stored as it was sent: `jsonb` rejects
-- "\u0000" and changes numbers. Keys are compared by bytes, as in SQLite, and not by a language.

-- A run in flight has one owner, a process. The owner holds a lease that it renews: its runs are taken over only after
-- the lease has expired. `runs` is the number of runs that it owns; a row is deleted only with 0 runs.
CREATE TABLE owners (
    id         TEXT COLLATE "C" PRIMARY KEY,
    expires_at BIGINT NOT NULL,
    runs       BIGINT NOT NULL
);

CREATE TABLE workflows (
    name       TEXT COLLATE "C" PRIMARY KEY,
    definition JSON NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE workflow_runs (
    id            TEXT COLLATE "C" PRIMARY KEY,
    workflow      TEXT COLLATE "C" NOT NULL REFERENCES workflows (name),
    trigger       TEXT NOT NULL,
    context       JSON NOT NULL,
    status        TEXT NOT NULL,
    owner         TEXT COLLATE "C",
    -- Incremented by every change of the status or the owner.
    version       BIGINT NOT NULL DEFAULT 0,
    error_type    TEXT,
    error         TEXT,
    retry_of      TEXT,
    trace_id      TEXT,
    crashes       BIGINT NOT NULL DEFAULT 0,
    -- Crashes of the owner while it executed no other run.
    crashes_alone BIGINT NOT NULL DEFAULT 0,
    -- Number of suspensions for an approval.
    waits         BIGINT NOT NULL DEFAULT 0,
    executed_ms   BIGINT NOT NULL DEFAULT 0,
    segment       TEXT,
    idempotency_key         TEXT COLLATE "C",
    idempotency_fingerprint TEXT,
    created_at    BIGINT NOT NULL,
    started_at    BIGINT,
    -- Start of the segment in flight.
    resumed_at    BIGINT,
    -- Set when the status is terminal.
    finished_at   BIGINT
);

-- Ids are UUIDv7: the newest run has the greatest id.
CREATE INDEX workflow_runs_by_workflow ON workflow_runs (workflow, id);
CREATE INDEX workflow_runs_by_owner ON workflow_runs (owner, status) WHERE owner IS NOT NULL;
-- Runs in flight without an owner.
CREATE INDEX workflow_runs_unowned ON workflow_runs (id) WHERE owner IS NULL AND status = 'PENDING';
CREATE UNIQUE INDEX workflow_runs_by_idempotency_key ON workflow_runs (workflow, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
-- The oldest ended runs, for their deletion.
CREATE INDEX workflow_runs_by_end ON workflow_runs (finished_at, id) WHERE finished_at IS NOT NULL;

CREATE TABLE node_results (
    run_id      TEXT COLLATE "C" NOT NULL REFERENCES workflow_runs (id),
    node_id     TEXT COLLATE "C" NOT NULL,
    agent       TEXT NOT NULL,
    action      TEXT NOT NULL,
    status      TEXT NOT NULL,
    output      JSON,
    error_type  TEXT,
    error       TEXT,
    attempts    BIGINT NOT NULL,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    PRIMARY KEY (run_id, node_id)
);

CREATE TABLE approvals (
    id           TEXT COLLATE "C" PRIMARY KEY,
    run_id       TEXT COLLATE "C" NOT NULL REFERENCES workflow_runs (id),
    workflow     TEXT NOT NULL,
    node_id      TEXT COLLATE "C" NOT NULL,
    agent        TEXT NOT NULL,
    action       TEXT NOT NULL,
    input        JSON NOT NULL,
    decision     TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    decided_at   BIGINT,
    responded_by TEXT,
    notes        TEXT,
    UNIQUE (run_id, node_id)
);

CREATE INDEX approvals_pending ON approvals (expires_at) WHERE decision = 'PENDING';

-- An incident is a fingerprint while it fires.
CREATE TABLE incidents (
    fingerprint TEXT COLLATE "C" PRIMARY KEY,
    last_run_id TEXT NOT NULL,
    last_run_at BIGINT NOT NULL
);

-- Signatures that may not be presented again.
CREATE TABLE seen_signatures (
    signature  TEXT COLLATE "C" PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- The row that a health check updates.
CREATE TABLE writable (
    one        BIGINT PRIMARY KEY CHECK (one = 1),
    checked_at BIGINT NOT NULL
);
INSERT INTO writable VALUES (1, 0);
