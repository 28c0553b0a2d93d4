//! Pending approvals: the waits in this process, and the application's count, taken every five
//! seconds. The SDK's callbacks read both and never block.

use crate::instance::Instance;
use crate::metrics::{instruments, overflow_label};
use crate::semconv::attribute::label;
use crate::semconv::{SCOPE, kv, metric};
use crate::telemetry::Telemetry;
use opentelemetry::KeyValue;
use opentelemetry::metrics::AsyncInstrument;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

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

/// The pending approvals of one instance: those of [`wait`](super::wait), and the application's own
/// count.
#[derive(Default)]
pub(super) struct PendingApprovals(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    /// Begin of each wait in this process. A workflow without a wait keeps an empty list: without a
    /// value its series would keep the last one.
    waits: BTreeMap<Waiting, Vec<Instant>>,
    /// The last count of the application, by workflow. It replaces the waits of the workflows that
    /// are in it: the application counts those too.
    counted: BTreeMap<String, (u64, Duration)>,
}

/// The workflow of a wait.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    Workflow(String),
    /// A workflow over the limit of label sets.
    Overflow,
    /// A wait outside of a workflow.
    NoWorkflow,
}

/// A wait in progress. Dropped, it does not count any more.
pub(super) struct CountedWait {
    approvals: Arc<PendingApprovals>,
    waiting: Waiting,
    started: Instant,
}

impl PendingApprovals {
    /// Returns those of `instance`. The first call registers the two metrics.
    pub(super) fn of(instance: &Instance) -> &Arc<Self> {
        instance.extensions.get_or_init(|| {
            let approvals = Arc::default();
            register(instance, &approvals);
            approvals
        })
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a wait that began at `started` until the returned value is dropped.
    pub(super) fn count_wait(self: &Arc<Self>, waiting: Waiting, started: Instant) -> CountedWait {
        self.lock().waits.entry(waiting.clone()).or_default().push(started);
        CountedWait { approvals: Arc::clone(self), waiting, started }
    }

    /// Replaces the count of the application. A workflow without pending approvals is kept with
    /// zero.
    fn replace(&self, backlog: Vec<Backlog>) {
        let counted = &mut self.lock().counted;
        for value in counted.values_mut() {
            *value = (0, Duration::ZERO);
        }
        for Backlog { workflow_id, pending, oldest_age } in backlog {
            if counted.len() < MAX_WORKFLOWS || counted.contains_key(&workflow_id) {
                counted.insert(workflow_id, (pending, oldest_age));
            }
        }
    }

    /// Calls `report` with the labels, the number and the age of the oldest for each workflow.
    fn for_each(&self, mut report: impl FnMut(&[KeyValue], u64, Duration)) {
        let pending = self.lock();
        for (id, (count, age)) in &pending.counted {
            report(&[kv(label::WORKFLOW_ID, id.to_owned())], *count, *age);
        }
        for (waiting, waits) in &pending.waits {
            let labels = match waiting {
                Waiting::Workflow(id) if pending.counted.contains_key(id) => continue,
                Waiting::Workflow(id) => vec![kv(label::WORKFLOW_ID, id.to_owned())],
                Waiting::Overflow => vec![overflow_label()],
                Waiting::NoWorkflow => Vec::new(),
            };
            let oldest = waits.iter().min().map_or(Duration::ZERO, Instant::elapsed);
            report(&labels, waits.len() as u64, oldest);
        }
    }
}

impl Drop for CountedWait {
    fn drop(&mut self) {
        if let Some(waits) = self.approvals.lock().waits.get_mut(&self.waiting)
            && let Some(index) = waits.iter().position(|started| *started == self.started)
        {
            waits.swap_remove(index);
        }
    }
}

impl Telemetry {
    /// Exports the application's own count as `workflow.approval.pending` and
    /// `workflow.approval.oldest_age`: for runs that are suspended while they wait.
    ///
    /// The waits of [`approval::wait`](crate::approval::wait) are counted without it. For a workflow
    /// that `backlog` lists, its count replaces that of the waits.
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
        let approvals = Arc::clone(PendingApprovals::of(instance));
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
                    Ok(backlog) => approvals.replace(backlog),
                    Err(error) => {
                        tracing::warn!(target: SCOPE, %error, "the approvals could not be counted")
                    }
                }
            }
        });
    }
}

fn register(instance: &Instance, approvals: &Arc<PendingApprovals>) {
    let pending = Arc::clone(approvals);
    instruments::observe_i64_up_down_counter(
        &instance.meter,
        &metric::WORKFLOW_APPROVAL_PENDING,
        move |observer: &dyn AsyncInstrument<i64>| {
            pending.for_each(|labels, pending, _| {
                observer.observe(i64::try_from(pending).unwrap_or(i64::MAX), labels);
            });
        },
    );
    let oldest = Arc::clone(approvals);
    instruments::observe_f64_gauge(
        &instance.meter,
        &metric::WORKFLOW_APPROVAL_OLDEST_AGE,
        move |observer: &dyn AsyncInstrument<f64>| {
            oldest.for_each(|labels, _, age| observer.observe(age.as_secs_f64(), labels));
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_without_pending_approvals_keeps_a_series_of_zero() {
        let approvals = PendingApprovals::default();
        let backlog = |pending| Backlog {
            workflow_id: "patch".into(),
            pending,
            oldest_age: Duration::from_secs(9),
        };
        approvals.replace(vec![backlog(2)]);
        approvals.replace(Vec::new());
        assert_eq!(values(&approvals), [("patch".to_owned(), 0)]);
    }

    #[test]
    fn the_count_of_the_application_replaces_the_waits_of_the_same_workflow() {
        let approvals = Arc::new(PendingApprovals::default());
        let wait =
            |id: &str| approvals.count_wait(Waiting::Workflow(id.to_owned()), Instant::now());
        let (first, second, other) = (wait("patch"), wait("patch"), wait("deploy"));
        assert_eq!(values(&approvals), [("deploy".to_owned(), 1), ("patch".to_owned(), 2)]);
        drop((first, other));
        assert_eq!(values(&approvals), [("deploy".to_owned(), 0), ("patch".to_owned(), 1)]);
        approvals.replace(vec![Backlog {
            workflow_id: "patch".into(),
            pending: 7,
            oldest_age: Duration::ZERO,
        }]);
        assert_eq!(values(&approvals), [("patch".to_owned(), 7), ("deploy".to_owned(), 0)]);
        drop(second);
    }

    fn values(approvals: &PendingApprovals) -> Vec<(String, u64)> {
        let mut values = Vec::new();
        approvals
            .for_each(|labels, pending, _| values.push((labels[0].value.to_string(), pending)));
        values
    }
}
