//! Number and oldest age of items of one kind that wait, by workflow: those that wait in this
//! process, and those that the application counted.

use crate::metrics::{instruments, overflow_label};
use crate::semconv::attribute::label;
use crate::semconv::{Metric, kv, metric};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// The pending approvals, or the runs that have not started, of one instance.
pub(crate) struct PendingItems {
    /// Metric of their number.
    count: &'static Metric,
    /// Metric of the age of the oldest.
    oldest_age: &'static Metric,
    registered: Once,
    state: Mutex<PendingState>,
}

struct PendingState {
    /// Cap of workflows.
    cap: usize,
    next_wait: u64,
    workflows: BTreeMap<Workflow, Pending>,
}

/// Label of a series. The values of a label are bounded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Workflow {
    Id(String),
    Overflow,
    /// The item belongs to no workflow.
    None,
}

/// The pending items of one workflow. Kept when there are none: without a value its series
/// would keep the last one.
#[derive(Default)]
struct Pending {
    /// Begins of the waits in this process, the oldest first.
    waits: BTreeMap<u64, Instant>,
    /// Number and oldest age as each source of the application reported them.
    reported: BTreeMap<u64, (u64, Duration)>,
}

/// A wait in this process.
#[derive(Debug)]
pub(crate) struct Wait {
    workflow: Workflow,
    number: u64,
}

impl PendingItems {
    /// Creates the approvals of at most `cap` workflows.
    pub(crate) fn approvals(cap: usize) -> Self {
        let (count, oldest_age) =
            (&metric::WORKFLOW_APPROVAL_PENDING, &metric::WORKFLOW_APPROVAL_OLDEST_AGE);
        Self::new(cap, count, oldest_age)
    }

    /// Creates the runs of at most `cap` workflows that have not started.
    pub(crate) fn queued_runs(cap: usize) -> Self {
        Self::new(cap, &metric::WORKFLOW_QUEUE_PENDING, &metric::WORKFLOW_QUEUE_OLDEST_AGE)
    }

    fn new(cap: usize, count: &'static Metric, oldest_age: &'static Metric) -> Self {
        let state = PendingState { cap, next_wait: 0, workflows: BTreeMap::new() };
        Self { count, oldest_age, registered: Once::new(), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, PendingState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds the two instruments at the first call.
    pub(crate) fn register(self: &Arc<Self>, meter: &Meter) {
        self.registered.call_once(|| {
            let pending = Arc::clone(self);
            instruments::observe_i64_up_down_counter(
                meter,
                self.count,
                move |observer: &dyn AsyncInstrument<i64>| {
                    pending.for_each(|labels, pending, _| {
                        observer.observe(i64::try_from(pending).unwrap_or(i64::MAX), labels);
                    });
                },
            );
            let oldest = Arc::clone(self);
            instruments::observe_f64_gauge(
                meter,
                self.oldest_age,
                move |observer: &dyn AsyncInstrument<f64>| {
                    oldest.for_each(|labels, _, age| observer.observe(age.as_secs_f64(), labels));
                },
            );
        });
    }

    /// Begins a wait in this process.
    pub(crate) fn begin(&self, workflow: Workflow) -> Wait {
        let mut state = self.lock();
        let number = state.next_wait;
        state.next_wait += 1;
        let workflow = state.bounded(workflow);
        let waits = &mut state.workflows.entry(workflow.clone()).or_default().waits;
        waits.insert(number, Instant::now());
        Wait { workflow, number }
    }

    /// Ends a wait in this process.
    pub(crate) fn end(&self, wait: &Wait) {
        if let Some(pending) = self.lock().workflows.get_mut(&wait.workflow) {
            pending.waits.remove(&wait.number);
        }
    }

    /// Replaces what `source` reported.
    pub(crate) fn report(
        &self,
        source: u64,
        reported: impl IntoIterator<Item = (String, u64, Duration)>,
    ) {
        let mut state = self.lock();
        for pending in state.workflows.values_mut() {
            pending.reported.remove(&source);
        }
        for (id, count, age) in reported {
            let workflow = state.bounded(Workflow::Id(id));
            let reported = &mut state.workflows.entry(workflow).or_default().reported;
            let (total, oldest) = reported.entry(source).or_default();
            *total = total.saturating_add(count);
            *oldest = age.max(*oldest);
        }
    }

    /// Calls `observe` with labels, number and oldest age of each workflow.
    ///
    /// An application that counts its approvals in a store counts those that wait in this process
    /// too: the larger number holds, not the sum.
    fn for_each(&self, mut observe: impl FnMut(&[KeyValue], u64, Duration)) {
        for (workflow, pending) in &self.lock().workflows {
            let waiting = u64::try_from(pending.waits.len()).unwrap_or(u64::MAX);
            let oldest = pending.waits.values().next().map_or(Duration::ZERO, Instant::elapsed);
            let reported =
                pending.reported.values().fold(0_u64, |sum, (n, _)| sum.saturating_add(*n));
            let age = pending.reported.values().map(|(_, age)| *age).max().unwrap_or_default();
            let labels = match workflow {
                Workflow::Id(id) => Some(kv(label::WORKFLOW_ID, id.clone())),
                Workflow::Overflow => Some(overflow_label()),
                Workflow::None => None,
            };
            observe(labels.as_slice(), waiting.max(reported), oldest.max(age));
        }
    }
}

impl PendingState {
    fn bounded(&self, workflow: Workflow) -> Workflow {
        match workflow {
            Workflow::Id(_)
                if self.workflows.len() >= self.cap && !self.workflows.contains_key(&workflow) =>
            {
                Workflow::Overflow
            }
            workflow => workflow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: usize = 3;

    fn observed(approvals: &PendingItems) -> Vec<(String, u64, bool)> {
        let mut values = Vec::new();
        approvals.for_each(|labels, pending, age| {
            let id = labels.first().map(|label| label.value.to_string()).unwrap_or_default();
            values.push((id, pending, age > Duration::ZERO));
        });
        values
    }

    fn id(id: &str) -> Workflow {
        Workflow::Id(id.to_owned())
    }

    #[test]
    fn a_workflow_without_pending_approvals_keeps_a_series_of_zero() {
        let approvals = PendingItems::approvals(CAP);
        approvals.report(0, [("patch".to_owned(), 2, Duration::from_secs(9))]);
        approvals.report(0, []);
        let wait = approvals.begin(id("release"));
        approvals.end(&wait);
        assert_eq!(
            observed(&approvals),
            [("patch".to_owned(), 0, false), ("release".to_owned(), 0, false)]
        );
    }

    #[test]
    fn a_wait_that_the_application_counts_too_counts_once() {
        let approvals = PendingItems::approvals(CAP);
        let waits = [approvals.begin(id("patch")), approvals.begin(id("patch"))];
        approvals.report(0, [("patch".to_owned(), 1, Duration::from_secs(9))]);
        assert_eq!(observed(&approvals), [("patch".to_owned(), 2, true)]);
        approvals.report(1, [("patch".to_owned(), 4, Duration::from_secs(9))]);
        assert_eq!(observed(&approvals), [("patch".to_owned(), 5, true)]);
        waits.iter().for_each(|wait| approvals.end(wait));
        approvals.report(1, []);
        assert_eq!(observed(&approvals), [("patch".to_owned(), 1, true)]);
    }

    #[test]
    fn the_number_of_workflows_is_bounded() {
        let approvals = PendingItems::approvals(CAP);
        for number in 0..=CAP {
            approvals.begin(id(&number.to_string()));
        }
        let values = observed(&approvals);
        assert_eq!(values.len(), CAP + 1);
        assert!(values.contains(&("true".to_owned(), 1, true)), "the overflow series");
    }
}
