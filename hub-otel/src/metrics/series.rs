//! Labels and counts of one label set.

use crate::label::LabelValue;
use crate::metrics::cells::{Cells, Durations};
use crate::metrics::dimensions::Dimensions;
use crate::metrics::instruments::{UnitInstruments, overflow_label};
use crate::metrics::values::CounterByValue;
use crate::semconv::attribute::label;
use crate::semconv::{kv, status};
use crate::shared_str::share_str;
use crate::status::UnitStatus;
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::metrics::BoundHistogram;
use opentelemetry::metrics::Histogram;
use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

/// One combination of labels and the counts of its units.
pub(crate) struct LabelSet {
    pub(crate) kind: UnitKind,
    pub(crate) instruments: Arc<UnitInstruments>,
    /// `workflow_id` or `agent_id`. Shared with the spans of its units.
    pub(crate) id: StringValue,
    /// `trigger_type` or `action`. Shared with the spans of its units.
    pub(crate) trigger_or_action: StringValue,
    /// Labels from the macro argument `labels(…)`, in the order of the call.
    extra: Box<[(&'static str, LabelValue)]>,
    /// The same, sorted by key: sets that differ in the order are one series.
    sorted_extra: Box<[(&'static str, LabelValue)]>,
    /// The set of all combinations beyond the cap. Its only label is the overflow label.
    pub(crate) overflowing: bool,
    cells: Cells,
    pub(super) errors: CounterByValue,
    pub(super) retries: CounterByValue,
    /// The SDK's series, for its readers.
    durations: [OnceLock<BoundHistogram<f64>>; status::TERMINAL.len()],
}

impl LabelSet {
    /// Creates a set without any count.
    pub(crate) fn new(
        instruments: &Arc<UnitInstruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        let mut sorted_extra: Box<[_]> = dimensions.extra.into();
        sorted_extra.sort_by_key(|(key, _)| *key);
        Self {
            kind,
            instruments: Arc::clone(instruments),
            id: share_str(dimensions.id),
            trigger_or_action: share_str(dimensions.trigger_or_action),
            extra: dimensions.extra.into(),
            sorted_extra,
            overflowing: false,
            cells: Cells::default(),
            errors: CounterByValue::default(),
            retries: CounterByValue::default(),
            durations: Default::default(),
        }
    }

    /// Creates the set of all combinations beyond the cap.
    pub(crate) fn overflowing(
        instruments: &Arc<UnitInstruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        Self { overflowing: true, ..Self::new(instruments, kind, dimensions) }
    }

    #[inline]
    pub(crate) fn matches(&self, dimensions: &Dimensions<'_>) -> bool {
        self.id.as_str() == dimensions.id
            && self.trigger_or_action.as_str() == dimensions.trigger_or_action
            && *self.extra == *dimensions.extra
    }

    /// Labels from the macro argument `labels(…)`.
    pub(crate) fn extra(&self) -> &[(&'static str, LabelValue)] {
        &self.extra
    }

    /// Changes the number of workflows in flight. No-op for agents, which have no such metric.
    #[inline]
    pub(crate) fn add_active(&self, change: i64) {
        if self.kind == UnitKind::Workflow {
            self.cells.add_in_flight(change);
        }
    }

    /// Records the end of one unit.
    #[inline]
    pub(crate) fn record_end(&self, status: UnitStatus, elapsed: Duration) {
        let instruments = self.instruments.of_kind(self.kind);
        self.cells.add_ended(status, elapsed, &instruments.bounds);
        if let Some(histogram) = &instruments.duration {
            let series = &self.durations[status as usize];
            let series = series.get_or_init(|| self.bind_durations(histogram, status));
            series.record(elapsed.as_secs_f64() * 1_000.0);
        }
    }

    /// Records one failure.
    pub(crate) fn record_error(&self, error_type: &str) {
        let instruments = self.instruments.of_kind(self.kind);
        let overflow = &self.instruments.overflow;
        self.errors.add(&instruments.error_types, overflow, label::ERROR_TYPE, error_type);
    }

    /// Records one retry. No-op for workflows, which have no such metric.
    pub(crate) fn record_retry(&self, reason: &str) {
        if self.kind == UnitKind::Agent {
            let (budget, overflow) = (&self.instruments.retry_reasons, &self.instruments.overflow);
            self.retries.add(budget, overflow, label::REASON, reason);
        }
    }

    /// Records the time that a run of the workflow waited before it started.
    pub(crate) fn record_queue_wait(&self, wait: Duration) {
        let milliseconds = wait.as_secs_f64() * 1_000.0;
        self.instruments.queue_wait.record(milliseconds, &[self.id_label()]);
    }

    /// Returns the number of workflows in flight. `None` if there was never one.
    pub(super) fn active(&self) -> Option<i64> {
        self.cells.in_flight()
    }

    /// Returns the number of units that ended with `status`.
    pub(super) fn ended(&self, status: UnitStatus) -> u64 {
        self.cells.ended(status)
    }

    /// Adds the durations of the units that ended with `status` to `sum`.
    pub(super) fn add_durations(&self, status: UnitStatus, sum: &mut Durations) {
        self.cells.add_durations(status, sum);
    }

    /// Returns whether `status` is counted from the start, at zero.
    pub(super) fn declares(&self, status: UnitStatus) -> bool {
        !self.overflowing && status::DECLARED.contains(&status.as_str())
    }

    /// Compares such that sets with equal labels of any metric are next to each other.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.overflowing
            .cmp(&other.overflowing)
            .then_with(|| self.id.as_str().cmp(other.id.as_str()))
            .then_with(|| self.extra_keys().cmp(other.extra_keys()))
            .then_with(|| self.trigger_or_action.as_str().cmp(other.trigger_or_action.as_str()))
    }

    fn extra_keys(&self) -> impl Iterator<Item = (&'static str, (bool, &'static str))> + '_ {
        self.sorted_extra.iter().map(|(key, value)| (*key, value.sort_key()))
    }

    pub(super) fn has_id_of(&self, other: &Self) -> bool {
        self.overflowing == other.overflowing && self.id == other.id
    }

    /// Returns whether both have the same series of durations.
    pub(super) fn has_durations_of(&self, other: &Self) -> bool {
        match self.kind {
            UnitKind::Workflow => self.has_id_of(other) && self.sorted_extra == other.sorted_extra,
            UnitKind::Agent | UnitKind::Llm | UnitKind::Tool => self.has_runs_of(other),
        }
    }

    /// Returns whether both have the same series of runs.
    pub(super) fn has_runs_of(&self, other: &Self) -> bool {
        self.compare(other).is_eq()
    }

    /// Writes the labels of the counter of runs.
    pub(super) fn run_labels(&self, status: UnitStatus, labels: &mut Vec<KeyValue>) {
        let trigger_or_action = match self.kind {
            UnitKind::Workflow => label::TRIGGER_TYPE,
            UnitKind::Agent | UnitKind::Llm | UnitKind::Tool => label::ACTION,
        };
        labels.push(self.id_label());
        labels.push(kv(trigger_or_action, self.trigger_or_action.clone()));
        labels.push(kv(label::STATUS, status.as_str()));
        self.finish_labels(labels);
    }

    /// Writes the labels of the histogram of durations.
    pub(super) fn duration_labels(&self, status: UnitStatus, labels: &mut Vec<KeyValue>) {
        labels.push(self.id_label());
        if self.kind == UnitKind::Agent {
            labels.push(kv(label::ACTION, self.trigger_or_action.clone()));
        }
        labels.push(kv(label::STATUS, status.as_str()));
        self.finish_labels(labels);
    }

    fn finish_labels(&self, labels: &mut Vec<KeyValue>) {
        if self.overflowing {
            labels.clear();
            labels.push(overflow_label());
        } else {
            labels.extend(self.sorted_extra.iter().map(|(key, value)| kv(*key, value.value())));
        }
    }

    /// Returns the label with the id.
    pub(super) fn id_label(&self) -> KeyValue {
        if self.overflowing {
            return overflow_label();
        }
        let key = match self.kind {
            UnitKind::Workflow => label::WORKFLOW_ID,
            UnitKind::Agent | UnitKind::Llm | UnitKind::Tool => label::AGENT_ID,
        };
        kv(key, self.id.clone())
    }

    #[cold]
    fn bind_durations(
        &self,
        histogram: &Histogram<f64>,
        status: UnitStatus,
    ) -> BoundHistogram<f64> {
        let mut labels = Vec::new();
        self.duration_labels(status, &mut labels);
        histogram.bind(&labels)
    }
}
