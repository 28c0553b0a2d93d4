//! Series of one label set.
//!
//! Series are bound when they first occur, because a bound series is exported even without a
//! measurement, and only the declared statuses may be exported at zero.

use crate::label::LabelValue;
use crate::metrics::dimensions::Dimensions;
use crate::metrics::instruments::{Overflow, UnitInstruments, overflow_label};
use crate::semconv::attribute::label;
use crate::semconv::{kv, status};
use crate::shared_str::share_str;
use crate::status::UnitStatus;
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::metrics::BoundCounter;
use opentelemetry::metrics::BoundHistogram;
use opentelemetry::metrics::BoundUpDownCounter;
use opentelemetry::metrics::Counter;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

/// Cap of error types and retry reasons per label set.
const MAX_VALUES_PER_LABEL: usize = 50;

/// One combination of labels and its series.
pub(crate) struct LabelSet {
    pub(crate) kind: UnitKind,
    pub(crate) instruments: Arc<UnitInstruments>,
    /// `workflow_id` or `agent_id`. Shared with the spans of its units.
    pub(crate) id: StringValue,
    /// `trigger_type` or `action`. Shared with the spans of its units.
    pub(crate) trigger_or_action: StringValue,
    extra: Box<[(&'static str, LabelValue)]>,
    /// The set of all combinations beyond the cap. Its only label is the overflow label.
    pub(crate) overflowing: bool,
    active: OnceLock<BoundUpDownCounter<i64>>,
    runs: [OnceLock<BoundCounter<u64>>; status::TERMINAL.len()],
    durations: [OnceLock<BoundHistogram<f64>>; status::TERMINAL.len()],
    errors: CounterByValue,
    retries: CounterByValue,
}

impl LabelSet {
    /// Creates a set with its declared counters at zero.
    pub(crate) fn declared(
        instruments: &Arc<UnitInstruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        let set = Self::undeclared(instruments, kind, dimensions);
        for name in status::DECLARED {
            if let Some(status) = UnitStatus::from_name(name) {
                set.runs(status).add(0);
            }
        }
        set
    }

    /// Creates the set of all combinations beyond the cap.
    pub(crate) fn overflowing(
        instruments: &Arc<UnitInstruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        Self { overflowing: true, ..Self::undeclared(instruments, kind, dimensions) }
    }

    /// Creates a set without any series.
    pub(crate) fn undeclared(
        instruments: &Arc<UnitInstruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        Self {
            kind,
            instruments: Arc::clone(instruments),
            id: share_str(dimensions.id),
            trigger_or_action: share_str(dimensions.trigger_or_action),
            extra: dimensions.extra.into(),
            overflowing: false,
            active: OnceLock::new(),
            runs: Default::default(),
            durations: Default::default(),
            errors: CounterByValue::default(),
            retries: CounterByValue::default(),
        }
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
            self.active.get_or_init(|| self.bind_active()).add(change);
        }
    }

    /// Records the end of one unit.
    #[inline]
    pub(crate) fn record_end(&self, status: UnitStatus, elapsed: Duration) {
        self.runs(status).add(1);
        let duration = self.durations[status as usize].get_or_init(|| self.bind_duration(status));
        duration.record(elapsed.as_secs_f64() * 1_000.0);
    }

    /// Records one failure.
    pub(crate) fn record_error(&self, error_type: &str) {
        self.errors.add(
            &self.instruments.of_kind(self.kind).errors,
            &self.instruments.overflow,
            label::ERROR_TYPE,
            error_type,
            |value| self.labels([self.id_label(), kv(label::ERROR_TYPE, value)]),
        );
    }

    /// Records one retry. No-op for workflows, which have no such metric.
    pub(crate) fn record_retry(&self, reason: &str) {
        if self.kind == UnitKind::Agent {
            self.retries.add(
                &self.instruments.agent_retries,
                &self.instruments.overflow,
                label::REASON,
                reason,
                |value| self.labels([self.id_label(), kv(label::REASON, value)]),
            );
        }
    }

    #[inline]
    fn runs(&self, status: UnitStatus) -> &BoundCounter<u64> {
        self.runs[status as usize].get_or_init(|| self.bind_runs(status))
    }

    #[cold]
    fn bind_active(&self) -> BoundUpDownCounter<i64> {
        self.instruments.workflows_active.bind(&self.labels([self.id_label()]))
    }

    #[cold]
    fn bind_runs(&self, status: UnitStatus) -> BoundCounter<u64> {
        let trigger_or_action = match self.kind {
            UnitKind::Workflow => label::TRIGGER_TYPE,
            UnitKind::Agent => label::ACTION,
        };
        let labels = [
            self.id_label(),
            kv(trigger_or_action, self.trigger_or_action.clone()),
            kv(label::STATUS, status.as_str()),
        ];
        self.instruments.of_kind(self.kind).runs.bind(&self.with_extra(labels))
    }

    #[cold]
    fn bind_duration(&self, status: UnitStatus) -> BoundHistogram<f64> {
        let status = kv(label::STATUS, status.as_str());
        let labels = match self.kind {
            UnitKind::Workflow => self.with_extra([self.id_label(), status]),
            UnitKind::Agent => {
                let action = kv(label::ACTION, self.trigger_or_action.clone());
                self.with_extra([self.id_label(), action, status])
            }
        };
        self.instruments.of_kind(self.kind).duration.bind(&labels)
    }

    fn id_label(&self) -> KeyValue {
        let key = match self.kind {
            UnitKind::Workflow => label::WORKFLOW_ID,
            UnitKind::Agent => label::AGENT_ID,
        };
        kv(key, self.id.clone())
    }

    fn labels<const N: usize>(&self, labels: [KeyValue; N]) -> Vec<KeyValue> {
        if self.overflowing { vec![overflow_label()] } else { labels.into() }
    }

    fn with_extra<const N: usize>(&self, labels: [KeyValue; N]) -> Vec<KeyValue> {
        let mut labels = self.labels(labels);
        if !self.overflowing {
            labels.extend(self.extra.iter().map(|(key, value)| kv(*key, value.value())));
        }
        labels
    }
}

/// Counters of one instrument by a label value that arrives at run time.
#[derive(Default)]
struct CounterByValue {
    /// Read without the lock. Most label sets see a single value.
    first: OnceLock<(StringValue, BoundCounter<u64>)>,
    others: Mutex<Vec<(StringValue, BoundCounter<u64>)>>,
    overflow: OnceLock<BoundCounter<u64>>,
}

impl CounterByValue {
    fn add(
        &self,
        instrument: &Counter<u64>,
        overflow: &Overflow,
        label: &'static str,
        value: &str,
        labels: impl FnOnce(StringValue) -> Vec<KeyValue>,
    ) {
        if let Some((known, counter)) = self.first.get()
            && known.as_str() == value
        {
            return counter.add(1);
        }
        self.add_slow(instrument, overflow, label, value, labels);
    }

    #[cold]
    fn add_slow(
        &self,
        instrument: &Counter<u64>,
        overflow: &Overflow,
        label: &'static str,
        value: &str,
        labels: impl FnOnce(StringValue) -> Vec<KeyValue>,
    ) {
        let bind = || {
            let value = share_str(value);
            let counter = instrument.bind(&labels(value.clone()));
            (value, counter)
        };
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bound = self.first.get().into_iter().chain(others.iter());
        if let Some((_, counter)) = bound.find(|(known, _)| known.as_str() == value) {
            counter.add(1);
        } else if self.first.get().is_none() {
            self.first.get_or_init(bind).1.add(1);
        } else if others.len() + 1 < MAX_VALUES_PER_LABEL {
            let (value, counter) = bind();
            counter.add(1);
            others.push((value, counter));
        } else {
            drop(others);
            overflow.count(label, value);
            self.overflow.get_or_init(|| instrument.bind(&[overflow_label()])).add(1);
        }
    }
}
