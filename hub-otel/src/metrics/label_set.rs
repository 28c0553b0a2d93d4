//! One combination of labels and everything that is recorded under it.
//!
//! Outcomes are bound when they first occur: a bound series is exported even if nothing was ever recorded into it, and
//! only the declared statuses may stand at zero.

use crate::label::LabelValue;
use crate::metrics::bound::{BoundCounter, BoundHistogram, BoundUpDown};
use crate::metrics::cache::mix;
use crate::metrics::{Instruments, Overflow, REASONS};
use crate::semconv::attribute::label;
use crate::semconv::{kv, status};
use crate::shared_str::share_str;
use crate::status::UnitStatus;
use crate::unit_kind::UnitKind;
use opentelemetry::KeyValue;
use opentelemetry::StringValue;
use opentelemetry::metrics::Counter;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

/// What identifies a label set, borrowed from the call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dimensions<'a> {
    /// workflow_id or agent_id.
    pub(crate) id: &'a str,
    /// trigger_type or action.
    pub(crate) second: &'a str,
    /// The labels that the macro's `labels(…)` adds.
    pub(crate) extra: &'a [(&'static str, LabelValue)],
}

impl Dimensions<'_> {
    pub(crate) fn hash(&self) -> u64 {
        let mut hash = mix(mix(0, self.id), self.second);
        for (key, value) in self.extra {
            hash = match value {
                LabelValue::Text(text) => mix(mix(hash, key), text),
                LabelValue::Bool(truth) => mix(hash, key) ^ u64::from(*truth),
            };
        }
        hash
    }
}

/// One combination of labels.
pub(crate) struct LabelSet {
    pub(crate) kind: UnitKind,
    pub(crate) instruments: Arc<Instruments>,
    /// workflow_id or agent_id, shared with every span that carries it.
    pub(crate) id: StringValue,
    /// trigger_type or action, likewise.
    pub(crate) second: StringValue,
    extra: Box<[(&'static str, LabelValue)]>,
    /// Stands for every combination past the cap: its one label is the SDK's overflow label.
    pub(crate) overflowing: bool,
    active: OnceLock<BoundUpDown>,
    runs: [OnceLock<BoundCounter>; status::TERMINAL.len()],
    durations: [OnceLock<BoundHistogram>; status::TERMINAL.len()],
    errors: ByText,
    retries: ByText,
}

impl LabelSet {
    /// A set with its declared counters at zero.
    pub(crate) fn new(
        instruments: &Arc<Instruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        let set = Self::build(instruments, kind, dimensions, false);
        for name in status::DECLARED {
            if let Some(status) = UnitStatus::from_name(name) {
                set.runs(status).add(0);
            }
        }
        set
    }

    /// A set that creates nothing by being there.
    pub(crate) fn undeclared(
        instruments: &Arc<Instruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        Self::build(instruments, kind, dimensions, false)
    }

    /// The set that every combination past the cap shares.
    pub(crate) fn overflowing(
        instruments: &Arc<Instruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
    ) -> Self {
        Self::build(instruments, kind, dimensions, true)
    }

    fn build(
        instruments: &Arc<Instruments>,
        kind: UnitKind,
        dimensions: &Dimensions<'_>,
        overflowing: bool,
    ) -> Self {
        Self {
            kind,
            instruments: Arc::clone(instruments),
            id: share_str(dimensions.id),
            second: share_str(dimensions.second),
            extra: dimensions.extra.into(),
            overflowing,
            active: OnceLock::new(),
            runs: Default::default(),
            durations: Default::default(),
            errors: ByText::default(),
            retries: ByText::default(),
        }
    }

    #[inline]
    pub(crate) fn is(&self, dimensions: &Dimensions<'_>) -> bool {
        self.id.as_str() == dimensions.id
            && self.second.as_str() == dimensions.second
            && *self.extra == *dimensions.extra
    }

    /// The labels that `labels(…)` added.
    pub(crate) fn extra(&self) -> &[(&'static str, LabelValue)] {
        &self.extra
    }

    /// The set of another identity in the same instance; `None` where that is gone.
    pub(crate) fn of_another(&self, dimensions: &Dimensions<'_>) -> Option<Arc<Self>> {
        Some(self.instruments.units.upgrade()?.label_set(self.kind, dimensions))
    }

    /// One more, or one fewer, that executes now.
    #[inline]
    pub(crate) fn active(&self, change: i64) {
        if self.kind == UnitKind::Workflow {
            self.active.get_or_init(|| self.bind_active()).add(change);
        }
    }

    /// One unit that ended in `status` after `elapsed`.
    #[inline]
    pub(crate) fn ended(&self, status: UnitStatus, elapsed: Duration) {
        self.runs(status).add(1);
        let duration = self.durations[status as usize].get_or_init(|| self.bind_duration(status));
        duration.record(elapsed.as_secs_f64() * 1_000.0);
    }

    /// One failure of `error_type`.
    pub(crate) fn failed(&self, error_type: &str) {
        let instrument = &self.instruments.of(self.kind).errors;
        self.errors.add(
            instrument,
            &self.instruments.overflow,
            "error_type",
            error_type,
            |value| self.labels([self.id_label(), kv(label::ERROR_TYPE, value)]),
        );
    }

    /// One attempt that is tried again for `reason`. Only agents have this counter.
    pub(crate) fn retried(&self, reason: &str) {
        if self.kind == UnitKind::Agent {
            let instrument = &self.instruments.retries;
            self.retries.add(instrument, &self.instruments.overflow, "reason", reason, |value| {
                self.labels([self.id_label(), kv(label::REASON, value)])
            });
        }
    }

    #[inline]
    fn runs(&self, status: UnitStatus) -> &BoundCounter {
        self.runs[status as usize].get_or_init(|| self.bind_runs(status))
    }

    #[cold]
    fn bind_active(&self) -> BoundUpDown {
        BoundUpDown::new(&self.instruments.workflows_active, &self.labels([self.id_label()]))
    }

    #[cold]
    fn bind_runs(&self, status: UnitStatus) -> BoundCounter {
        let second = match self.kind {
            UnitKind::Workflow => label::TRIGGER_TYPE,
            UnitKind::Agent => label::ACTION,
        };
        let labels =
            [self.id_label(), kv(second, self.second.clone()), kv(label::STATUS, status.as_str())];
        BoundCounter::new(&self.instruments.of(self.kind).runs, &self.with_extra(labels))
    }

    #[cold]
    fn bind_duration(&self, status: UnitStatus) -> BoundHistogram {
        let status = kv(label::STATUS, status.as_str());
        let labels = match self.kind {
            UnitKind::Workflow => self.with_extra([self.id_label(), status]),
            UnitKind::Agent => {
                self.with_extra([self.id_label(), kv(label::ACTION, self.second.clone()), status])
            }
        };
        BoundHistogram::new(&self.instruments.of(self.kind).duration, &labels)
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

/// The SDK's label of the series that takes what came too late (specification, "Cardinality limits").
pub(crate) fn overflow_label() -> KeyValue {
    kv(label::OVERFLOW, true)
}

/// Counters by a label value that is only known when it occurs.
#[derive(Default)]
struct ByText {
    /// The first one, which most often is the only one, is found without the lock.
    first: OnceLock<(StringValue, BoundCounter)>,
    counters: Mutex<Vec<(StringValue, BoundCounter)>>,
    rest: OnceLock<BoundCounter>,
}

impl ByText {
    fn add(
        &self,
        instrument: &Counter<u64>,
        overflow: &Overflow,
        what: &'static str,
        value: &str,
        labels: impl FnOnce(StringValue) -> Vec<KeyValue>,
    ) {
        if let Some((known, counter)) = self.first.get()
            && known.as_str() == value
        {
            return counter.add(1);
        }
        self.add_another(instrument, overflow, what, value, labels);
    }

    #[cold]
    fn add_another(
        &self,
        instrument: &Counter<u64>,
        overflow: &Overflow,
        what: &'static str,
        value: &str,
        labels: impl FnOnce(StringValue) -> Vec<KeyValue>,
    ) {
        let bind = || {
            let value = share_str(value);
            let counter = BoundCounter::new(instrument, &labels(value.clone()));
            (value, counter)
        };
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.first.get().into_iter().chain(counters.iter());
        if let Some((_, counter)) = all.into_iter().find(|(known, _)| known.as_str() == value) {
            counter.add(1);
        } else if self.first.get().is_none() {
            self.first.get_or_init(bind).1.add(1);
        } else if counters.len() + 1 < REASONS {
            let (value, counter) = bind();
            counter.add(1);
            counters.push((value, counter));
        } else {
            drop(counters);
            overflow.count(what, value);
            self.rest.get_or_init(|| BoundCounter::new(instrument, &[overflow_label()])).add(1);
        }
    }
}
