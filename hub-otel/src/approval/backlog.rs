//! The pending approvals, counted by the application every five seconds. The SDK's callbacks read
//! the last snapshot and never block.

use crate::instance::Instance;
use crate::metrics::instruments;
use crate::semconv::attribute::label;
use crate::semconv::{SCOPE, kv, metric};
use crate::telemetry::Telemetry;
use opentelemetry::metrics::AsyncInstrument;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(5);
/// The maximum of workflows in a snapshot: the values of a label are bounded.
const MAX_WORKFLOWS: usize = crate::metrics::MAX_LABEL_SETS;

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

#[derive(Default)]
struct Snapshot(Mutex<BTreeMap<String, (u64, Duration)>>);

impl Snapshot {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (u64, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the values. A workflow without pending approvals is kept with zero: without a value
    /// its series would keep the last one.
    fn replace(&self, backlog: Vec<Backlog>) {
        let mut workflows = self.lock();
        for value in workflows.values_mut() {
            *value = (0, Duration::ZERO);
        }
        for Backlog { workflow_id, pending, oldest_age } in backlog {
            if workflows.len() < MAX_WORKFLOWS || workflows.contains_key(&workflow_id) {
                workflows.insert(workflow_id, (pending, oldest_age));
            }
        }
    }

    fn for_each(&self, mut report: impl FnMut(&str, u64, Duration)) {
        for (id, (pending, age)) in &*self.lock() {
            report(id, *pending, *age);
        }
    }
}

impl Telemetry {
    /// Exports `workflow.approval.pending` and `workflow.approval.oldest_age`.
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
        let snapshot = Arc::new(Snapshot::default());
        register(instance, &snapshot);
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
                    Ok(backlog) => snapshot.replace(backlog),
                    Err(error) => {
                        tracing::warn!(target: SCOPE, %error, "the approvals could not be counted")
                    }
                }
            }
        });
    }
}

fn register(instance: &Instance, snapshot: &Arc<Snapshot>) {
    let pending = Arc::clone(snapshot);
    instruments::observe_i64_up_down_counter(
        &instance.meter,
        &metric::WORKFLOW_APPROVAL_PENDING,
        move |observer: &dyn AsyncInstrument<i64>| {
            pending.for_each(|id, pending, _| {
                let pending = i64::try_from(pending).unwrap_or(i64::MAX);
                observer.observe(pending, &[kv(label::WORKFLOW_ID, id.to_owned())]);
            });
        },
    );
    let oldest = Arc::clone(snapshot);
    instruments::observe_f64_gauge(
        &instance.meter,
        &metric::WORKFLOW_APPROVAL_OLDEST_AGE,
        move |observer: &dyn AsyncInstrument<f64>| {
            oldest.for_each(|id, _, age| {
                observer.observe(age.as_secs_f64(), &[kv(label::WORKFLOW_ID, id.to_owned())])
            });
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_without_pending_approvals_keeps_a_series_of_zero() {
        let snapshot = Snapshot::default();
        let backlog = |pending| Backlog {
            workflow_id: "patch".into(),
            pending,
            oldest_age: Duration::from_secs(9),
        };
        snapshot.replace(vec![backlog(2)]);
        snapshot.replace(Vec::new());
        let mut values = Vec::new();
        snapshot.for_each(|id, pending, age| values.push((id.to_owned(), pending, age)));
        assert_eq!(values, [("patch".to_owned(), 0, Duration::ZERO)]);
    }
}
