//! Backlogs that the application counts every five seconds. The SDK's callbacks read the last count
//! and never block.

use crate::backlog::pending::PendingItems;
use crate::instance::Instance;
use crate::semconv::SCOPE;
use crate::telemetry::Telemetry;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(5);

/// The pending approvals of one workflow, or its runs that have not started.
///
/// Several processes on one store count the same backlog, and the sum over them would contain it
/// several times: one of them returns it, the others return an empty list.
///
/// ```
/// use hub_otel::Backlog;
/// use std::time::Duration;
///
/// let backlog =
///     Backlog { workflow_id: "patch".into(), pending: 2, oldest_age: Duration::from_secs(90) };
/// # let _ = backlog;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The id of the workflow.
    pub workflow_id: String,
    /// The number of approvals or runs that wait.
    pub pending: u64,
    /// The age of the oldest of them.
    pub oldest_age: Duration,
}

impl Telemetry {
    /// Exports approvals that the application stores in `workflow.approval.pending` and
    /// `workflow.approval.oldest_age`. Those that [`wait`](crate::approval::wait) in this process
    /// are exported without it; of both numbers the larger one holds, because a store contains them
    /// too.
    ///
    /// `backlog` counts the pending approvals. It is called every five seconds on the caller's
    /// tokio runtime, until the runtime or the telemetry shuts down. If it panics, a warning is
    /// logged and the last values stay. Outside a tokio runtime nothing is exported, and a warning
    /// is logged.
    ///
    /// ```
    /// use hub_otel::Backlog;
    ///
    /// # async fn pending_approvals() -> Vec<Backlog> { Vec::new() }
    /// fn observe(telemetry: &hub_otel::Telemetry) {
    ///     // For example `SELECT workflow_id, count(*), min(requested_at) … GROUP BY workflow_id`.
    ///     telemetry.observe_approvals(pending_approvals);
    /// }
    /// ```
    pub fn observe_approvals<F, B>(&self, backlog: F)
    where
        F: Fn() -> B + Send + 'static,
        B: Future<Output = Vec<Backlog>> + Send + 'static,
    {
        if let Some(instance) = self.instance() {
            observe("observe_approvals", instance, &instance.approvals, backlog);
        }
    }

    /// Exports runs that are created and have not started, which the application stores, in
    /// `workflow.queue.pending` and `workflow.queue.oldest_age`.
    ///
    /// [`Current::queued_since`](crate::Current::queued_since) records the wait of a run when it
    /// starts. If no run starts, only these two metrics show that runs wait.
    ///
    /// `backlog` counts the runs that wait for their first start. It is called as that of
    /// [`observe_approvals`](Self::observe_approvals), with the same limits.
    ///
    /// ```
    /// use hub_otel::Backlog;
    ///
    /// # async fn queued_runs() -> Vec<Backlog> { Vec::new() }
    /// fn observe(telemetry: &hub_otel::Telemetry) {
    ///     // For example `SELECT workflow_id, count(*), min(created_at) … WHERE started_at IS NULL
    ///     // GROUP BY workflow_id`.
    ///     telemetry.observe_queue(queued_runs);
    /// }
    /// ```
    pub fn observe_queue<F, B>(&self, backlog: F)
    where
        F: Fn() -> B + Send + 'static,
        B: Future<Output = Vec<Backlog>> + Send + 'static,
    {
        if let Some(instance) = self.instance() {
            observe("observe_queue", instance, &instance.queued_runs, backlog);
        }
    }
}

/// Calls `backlog` every five seconds and reports its result to `items`. `method` is the public
/// method, for warnings.
fn observe<F, B>(
    method: &'static str,
    instance: &Arc<Instance>,
    items: &Arc<PendingItems>,
    backlog: F,
) where
    F: Fn() -> B + Send + 'static,
    B: Future<Output = Vec<Backlog>> + Send + 'static,
{
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        tracing::warn!(target: SCOPE, "nothing is observed: call `{method}` inside a tokio runtime");
        return;
    };
    static SOURCES: AtomicU64 = AtomicU64::new(0);
    let source = SOURCES.fetch_add(1, Ordering::Relaxed);
    items.register(&instance.meter);
    let (instance, items) = (Arc::downgrade(instance), Arc::clone(items));
    let spawner = runtime.clone();
    runtime.spawn(async move {
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if instance.strong_count() == 0 {
                return;
            }
            // In a task of its own, so that a panic in `backlog` does not end the loop.
            match spawner.spawn(backlog()).await {
                Ok(backlog) => items.report(
                    source,
                    backlog.into_iter().map(|backlog| {
                        let Backlog { workflow_id, pending, oldest_age } = backlog;
                        (workflow_id, pending, oldest_age)
                    }),
                ),
                Err(error) => {
                    tracing::warn!(target: SCOPE, %error, "the backlog of `{method}` could not be counted")
                }
            }
        }
    });
}
