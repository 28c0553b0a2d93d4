-- The oldest ended runs, for their deletion. A run has `finished_at` when its status is terminal.
CREATE INDEX workflow_runs_by_end ON workflow_runs (finished_at, id) WHERE finished_at IS NOT NULL;
