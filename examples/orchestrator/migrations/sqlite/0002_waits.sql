-- How often a run was suspended for an approval: each time is a `workflow.execute` span that no histogram counts.
ALTER TABLE workflow_runs ADD COLUMN waits INTEGER NOT NULL DEFAULT 0;
