//! The approvals that wait, as their owner counts them: asked every five seconds on the application's runtime. The
//! SDK's callbacks read the last snapshot and never wait.

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

const EVERY: Duration = Duration::from_secs(5);
/// Workflows in a snapshot: label values are bounded here as everywhere.
const MOST: usize = crate::metrics::MAX_LABEL_SETS;

/// The approvals of one workflow that wait for a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The workflow's stable slug.
    pub workflow_id: String,
    /// How many wait.
    pub pending: u64,
    /// How long the oldest of them has waited.
    pub oldest_age: Duration,
}

#[derive(Default)]
struct Snapshot(Mutex<BTreeMap<String, (u64, Duration)>>);

impl Snapshot {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (u64, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A workflow that was seen once and waits no more stands at zero: an absent series would keep its last value.
    fn replace(&self, backlog: Vec<Backlog>) {
        let mut seen = self.lock();
        for value in seen.values_mut() {
            *value = (0, Duration::ZERO);
        }
        for Backlog { workflow_id, pending, oldest_age } in backlog {
            if seen.len() < MOST || seen.contains_key(&workflow_id) {
                seen.insert(workflow_id, (pending, oldest_age));
            }
        }
    }

    fn each(&self, mut report: impl FnMut(&str, u64, Duration)) {
        for (id, (pending, age)) in &*self.lock() {
            report(id, *pending, *age);
        }
    }
}

impl Telemetry {
    /// Asks `backlog` every five seconds how many approvals wait, and for how long: `workflow.approval.pending` and
    /// `workflow.approval.oldest_age`. It runs on the caller's runtime, as part of the application, and ends with it.
    ///
    /// Outside a tokio runtime nothing is watched, and a warning says so.
    pub fn observe_approvals<F, B>(&self, backlog: F)
    where
        F: Fn() -> B + Send + 'static,
        B: Future<Output = Vec<Backlog>> + Send + 'static,
    {
        let Some(instance) = self.instance() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!(target: SCOPE, "approvals are not watched: call `observe_approvals` inside a tokio runtime");
            return;
        };
        let snapshot = Arc::new(Snapshot::default());
        observe(instance, &snapshot);
        let (instance, watched) = (Arc::downgrade(instance), runtime.clone());
        runtime.spawn(async move {
            let mut every = tokio::time::interval(EVERY);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                every.tick().await;
                if instance.strong_count() == 0 {
                    return;
                }
                // In a task of its own: a panic in the application's code does not end the watch.
                match watched.spawn(backlog()).await {
                    Ok(backlog) => snapshot.replace(backlog),
                    Err(error) => {
                        tracing::warn!(target: SCOPE, %error, "the approvals could not be counted")
                    }
                }
            }
        });
    }
}

fn observe(instance: &Instance, snapshot: &Arc<Snapshot>) {
    let pending = Arc::clone(snapshot);
    instruments::observe_i64_up_down_counter(
        &instance.meter,
        &metric::WORKFLOW_APPROVAL_PENDING,
        move |observer: &dyn AsyncInstrument<i64>| {
            pending.each(|id, pending, _| {
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
            oldest.each(|id, _, age| {
                observer.observe(age.as_secs_f64(), &[kv(label::WORKFLOW_ID, id.to_owned())])
            });
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_that_was_seen_once_and_waits_no_more_stands_at_zero() {
        let snapshot = Snapshot::default();
        let waits = |pending| Backlog {
            workflow_id: "patch".into(),
            pending,
            oldest_age: Duration::from_secs(9),
        };
        snapshot.replace(vec![waits(2)]);
        snapshot.replace(Vec::new());
        let mut seen = Vec::new();
        snapshot.each(|id, pending, age| seen.push((id.to_owned(), pending, age)));
        assert_eq!(seen, [("patch".to_owned(), 0, Duration::ZERO)]);
    }
}
