//! The pending approvals, counted by the application every five seconds. The SDK's callbacks read
//! the last count and never block.

use crate::semconv::SCOPE;
use crate::telemetry::Telemetry;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(5);

/// The pending approvals of one workflow.
///
/// ```
/// use hub_otel::approval::Backlog;
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
    /// The number of approvals without a decision.
    pub pending: u64,
    /// The age of the oldest of them.
    pub oldest_age: Duration,
}

impl Telemetry {
    /// Exports approvals that the application stores in `workflow.approval.pending` and
    /// `workflow.approval.oldest_age`. Those that [`wait`](super::wait) in this process are
    /// exported without it; of both numbers the larger one holds, because a store contains them
    /// too.
    ///
    /// `backlog` counts the pending approvals. It is called every five seconds on the caller's
    /// tokio runtime, until the runtime or the telemetry shuts down. If it panics, a warning is
    /// logged and the last values stay. Outside a tokio runtime nothing is exported, and a warning
    /// is logged.
    ///
    /// ```
    /// use hub_otel::approval::Backlog;
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
        let Some(instance) = self.instance() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!(target: SCOPE, "approvals are not observed: call `observe_approvals` inside a tokio runtime");
            return;
        };
        static SOURCES: AtomicU64 = AtomicU64::new(0);
        let source = SOURCES.fetch_add(1, Ordering::Relaxed);
        instance.approvals.register(&instance.meter);
        let approvals = Arc::clone(&instance.approvals);
        let (instance, spawner) = (Arc::downgrade(instance), runtime.clone());
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
                    Ok(backlog) => approvals.report(
                        source,
                        backlog.into_iter().map(|backlog| {
                            let Backlog { workflow_id, pending, oldest_age } = backlog;
                            (workflow_id, pending, oldest_age)
                        }),
                    ),
                    Err(error) => {
                        tracing::warn!(target: SCOPE, %error, "the approvals could not be counted")
                    }
                }
            }
        });
    }
}
