//! Recovery of executions that no body executes.

use super::body::Delivery;
use super::{Connected, QUEUE, VERSION, execution_id};
use crate::domain::Run;
use crate::engine::{Engine, lock};
use ::dbos::sysdb::SystemDatabase;
use ::dbos::sysdb::types::{WorkflowFilter, WorkflowStatus};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// Time after which an execution without a body is queued again. Between its assignment and its
/// body there are some milliseconds, more on a machine under load.
const UNATTENDED: Duration = Duration::from_secs(5);

impl Connected {
    /// Brings the executions of runs that no process executes back into the queue.
    pub(super) async fn redeliver(&self, engine: &Engine, runs: &[Run]) -> Result<(), String> {
        let ids: Vec<_> = runs.iter().map(|run| execution_id(&run.id, run.waits)).collect();
        let filter = WorkflowFilter {
            workflow_ids: ids.iter().map(String::as_str).collect(),
            load_input: false,
            load_output: false,
            ..WorkflowFilter::default()
        };
        let known = self.system.list_workflows(&filter, None).await.map_err(text)?;
        let living = self.living(engine).await?;
        let (mut stale, mut stopped, mut queued) = (Vec::new(), Vec::new(), HashSet::new());
        let mut ended = HashSet::new();
        for row in &known {
            let id = row.workflow_id.as_str();
            match row.status {
                // The run has not ended, whatever the row claims, or its body has other steps.
                _ if row.application_version.as_deref() != Some(VERSION) => stale.push(id),
                WorkflowStatus::Success | WorkflowStatus::Error => stale.push(id),
                WorkflowStatus::Enqueued | WorkflowStatus::Delayed => drop(queued.insert(id)),
                // A living process is about to claim the run, or sweeps the execution.
                WorkflowStatus::Pending => {
                    ended.extend(row.executor_id.as_deref().filter(|id| !living.contains(*id)));
                    queued.insert(id);
                }
                WorkflowStatus::Cancelled | WorkflowStatus::MaxRecoveryAttemptsExceeded => {
                    stopped.push(id);
                    queued.insert(id);
                }
            }
        }
        // The results of its nodes are in the store, so that no finished node is executed again.
        self.system.delete_workflows(&stale, false, None).await.map_err(text)?;
        self.system.resume_workflows(&stopped, Some(QUEUE), None).await.map_err(text)?;
        self.requeue_of(ended).await?;
        for (run, id) in runs.iter().zip(&ids) {
            if !queued.contains(id.as_str()) {
                self.enqueue(Delivery::of(run)).await;
            }
        }
        Ok(())
    }

    /// Re-queues the executions of processes without a lease, which DBOS leaves to the next process
    /// with the same id, and those of this process without a body.
    pub(super) async fn recover(&self, engine: &Engine) -> Result<(), String> {
        let filter = WorkflowFilter {
            status: vec![WorkflowStatus::Pending],
            load_input: false,
            load_output: false,
            ..WorkflowFilter::default()
        };
        let assigned = self.system.list_workflows(&filter, None).await.map_err(text)?;
        let living = self.living(engine).await?;
        let executors = assigned.iter().filter_map(|row| row.executor_id.as_deref());
        let ended: HashSet<_> = executors.filter(|id| !living.contains(*id)).collect();
        self.requeue_of(ended).await?;
        let own = assigned.iter().filter(|row| row.executor_id.as_ref() == Some(&self.executor));
        self.sweep(engine, own.map(|row| row.workflow_id.as_str())).await
    }

    /// Re-queues the executions of ended processes. One that a living process has received in the
    /// meantime stays with it.
    async fn requeue_of(&self, ended: HashSet<&str>) -> Result<(), String> {
        if ended.is_empty() {
            return Ok(());
        }
        let ended: Vec<_> = ended.into_iter().collect();
        let requeue = self.system.reenqueue_for_recovery(&ended, VERSION, QUEUE);
        requeue.await.map(drop).map_err(text)
    }

    /// Re-queues executions that DBOS assigned to this process but did not start, which an outage
    /// of the database can cause, and those that ended without a result.
    async fn sweep<'a>(
        &self,
        engine: &Engine,
        assigned: impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let stuck = {
            let mut unattended = lock(&self.unattended);
            let before = std::mem::take(&mut *unattended);
            let without_body = assigned.filter(|id| !self.attended.contains(id));
            *unattended = since(&before, without_body, Instant::now());
            unattended
                .iter()
                .filter(|(_, since)| since.elapsed() >= UNATTENDED)
                .map(|(id, _)| id.clone())
                .collect::<Vec<_>>()
        };
        if stuck.is_empty() || engine.is_draining() {
            return Ok(());
        }
        let ids: Vec<_> = stuck.iter().map(String::as_str).collect();
        self.system.resume_workflows(&ids, Some(QUEUE), None).await.map(drop).map_err(text)
    }

    /// The processes with a lease. Read after their executions: a process has a lease before it
    /// executes anything.
    async fn living(&self, engine: &Engine) -> Result<HashSet<String>, String> {
        let leases = engine.inner.store.leases().await.map_err(text)?.into_iter();
        let living = leases.filter(|lease| !lease.expired || lease.owner == self.executor);
        Ok(living.map(|lease| lease.owner).collect())
    }
}

/// The time since which each execution has no body.
fn since<'a>(
    before: &HashMap<String, Instant>,
    without_body: impl Iterator<Item = &'a str>,
    now: Instant,
) -> HashMap<String, Instant> {
    without_body.map(|id| (id.to_owned(), before.get(id).copied().unwrap_or(now))).collect()
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_without_a_body_begins_again_after_a_body() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let first = since(&HashMap::new(), ["a/0", "b/0"].into_iter(), at(0));
        // `b/0` has a body at this check, and none at the next one.
        let second = since(&first, ["a/0"].into_iter(), at(3));
        let third = since(&second, ["a/0", "b/0"].into_iter(), at(6));
        assert_eq!(third, HashMap::from([("a/0".to_owned(), at(0)), ("b/0".to_owned(), at(6))]));
    }
}
