-- Times are milliseconds since 1970; JSON is text. Every table is STRICT: a wrong type is an error and not a guess.

CREATE TABLE workflows (
    name       TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workflow_runs (
    id          TEXT PRIMARY KEY,
    workflow    TEXT NOT NULL REFERENCES workflows (name),
    trigger     TEXT NOT NULL,
    context     TEXT NOT NULL,
    status      TEXT NOT NULL,
    owner       TEXT,
    error_type  TEXT,
    error       TEXT,
    retry_of    TEXT,
    trace_id    TEXT,
    crashes     INTEGER NOT NULL DEFAULT 0,
    executed_ms INTEGER NOT NULL DEFAULT 0,
    segment     TEXT,
    idempotency_key         TEXT,
    idempotency_fingerprint TEXT,
    created_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;

-- Ids are UUIDv7: the newest run has the greatest id.
CREATE INDEX workflow_runs_by_workflow ON workflow_runs (workflow, id);
CREATE INDEX workflow_runs_unfinished ON workflow_runs (status) WHERE status IN ('PENDING', 'RUNNING', 'WAITING_APPROVAL');
CREATE UNIQUE INDEX workflow_runs_by_idempotency_key ON workflow_runs (workflow, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE node_results (
    run_id      TEXT NOT NULL REFERENCES workflow_runs (id),
    node_id     TEXT NOT NULL,
    agent       TEXT NOT NULL,
    action      TEXT NOT NULL,
    status      TEXT NOT NULL,
    output      TEXT,
    error_type  TEXT,
    error       TEXT,
    attempts    INTEGER NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, node_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (
    id           TEXT PRIMARY KEY,
    run_id       TEXT NOT NULL REFERENCES workflow_runs (id),
    workflow     TEXT NOT NULL,
    node_id      TEXT NOT NULL,
    agent        TEXT NOT NULL,
    action       TEXT NOT NULL,
    input        TEXT NOT NULL,
    decision     TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    decided_at   INTEGER,
    responded_by TEXT,
    notes        TEXT,
    UNIQUE (run_id, node_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX approvals_pending ON approvals (expires_at) WHERE decision = 'PENDING';

-- An incident is a fingerprint while it fires.
CREATE TABLE incidents (
    fingerprint TEXT PRIMARY KEY,
    last_run_id TEXT NOT NULL,
    last_run_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signatures that may not be presented again.
CREATE TABLE seen_signatures (
    signature  TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE writable (one INTEGER PRIMARY KEY CHECK (one = 1), checked_at INTEGER NOT NULL) STRICT;
INSERT INTO writable VALUES (1, 0);
