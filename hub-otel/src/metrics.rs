//! The instruments, built from the contract and from nothing else.

pub(crate) mod bound;
pub(crate) mod build;
mod cache;
mod label_set;

pub(crate) use crate::metrics::label_set::{Dimensions, LabelSet, overflow_label};

use crate::metrics::cache::Cache;
use crate::options::Options;
use crate::semconv::attribute::label::OVERFLOW_PROMETHEUS;
use crate::semconv::metric;
use crate::unit_kind::UnitKind;
use opentelemetry::metrics::Counter;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;
use opentelemetry::metrics::UpDownCounter;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Label sets per kind of unit. Five statuses each stay below the 2,000 series at which the SDK itself overflows.
pub(crate) const LABEL_SETS: usize = 400;
/// Error types and retry reasons per label set.
pub(crate) const REASONS: usize = 50;

/// The label sets of workflows and agents.
pub(crate) struct Units {
    pub(crate) instruments: Arc<Instruments>,
    workflows: Cache,
    agents: Cache,
}

/// What all label sets of one instance share. Each of them holds it, so that a unit carries nothing but its label set.
pub(crate) struct Instruments {
    workflow: OfKind,
    agent: OfKind,
    workflows_active: UpDownCounter<i64>,
    retries: Counter<u64>,
    pub(crate) approval_wait: Histogram<f64>,
    overflow: Overflow,
    /// What the end of a unit has to know of its instance.
    pub(crate) options: Options,
    /// Where a unit that changes its identity finds its new label set.
    units: Weak<Units>,
}

/// What each kind of unit records at its end.
struct OfKind {
    runs: Counter<u64>,
    duration: Histogram<f64>,
    errors: Counter<u64>,
}

/// How often a label value came too late to get a series of its own.
#[derive(Default)]
pub(crate) struct Overflow {
    times: AtomicU64,
    warned: AtomicBool,
}

impl Overflow {
    /// Counts, and warns the first time.
    #[cold]
    pub(crate) fn count(&self, what: &'static str, value: &str) {
        self.times.fetch_add(1, Ordering::Relaxed);
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: crate::semconv::SCOPE,
                "too many values of a metric label: {what} `{value}` and every further one is counted in the series \
                 {OVERFLOW_PROMETHEUS}=\"true\"; labels must be stable slugs, never generated ids"
            );
        }
    }
}

impl Units {
    pub(crate) fn new(meter: &Meter, options: Options) -> Arc<Self> {
        Arc::new_cyclic(|units| Self {
            instruments: Arc::new(Instruments::new(meter, options, units.clone())),
            workflows: Cache::default(),
            agents: Cache::default(),
        })
    }

    /// The label set of `dimensions`; made, and its counters declared at zero, when it is seen for the first time.
    pub(crate) fn label_set(&self, kind: UnitKind, dimensions: &Dimensions<'_>) -> Arc<LabelSet> {
        let cache = match kind {
            UnitKind::Workflow => &self.workflows,
            UnitKind::Agent => &self.agents,
        };
        let set = cache.get(dimensions, |overflowing| {
            if overflowing {
                LabelSet::overflowing(&self.instruments, kind, dimensions)
            } else {
                LabelSet::new(&self.instruments, kind, dimensions)
            }
        });
        if set.overflowing {
            self.instruments.overflow.count("id", dimensions.id);
        }
        set
    }

    /// A set for the numbers of a workflow whose trigger is not known here: no counter of it is created.
    pub(crate) fn workflow_without_declaring(&self, dimensions: &Dimensions<'_>) -> Arc<LabelSet> {
        Arc::new(LabelSet::undeclared(&self.instruments, UnitKind::Workflow, dimensions))
    }

    /// How many label values found no series of their own.
    #[cfg(feature = "testing")]
    pub(crate) fn overflowed(&self) -> u64 {
        self.instruments.overflow.times.load(Ordering::Relaxed)
    }
}

impl Instruments {
    fn new(meter: &Meter, options: Options, units: Weak<Units>) -> Self {
        Self {
            workflow: OfKind {
                runs: build::counter(meter, &metric::WORKFLOW_RUNS),
                duration: build::histogram(meter, &metric::WORKFLOW_DURATION),
                errors: build::counter(meter, &metric::WORKFLOW_ERRORS),
            },
            agent: OfKind {
                runs: build::counter(meter, &metric::AGENT_RUNS),
                duration: build::histogram(meter, &metric::AGENT_DURATION),
                errors: build::counter(meter, &metric::AGENT_ERRORS),
            },
            workflows_active: build::up_down_counter(meter, &metric::WORKFLOWS_ACTIVE),
            retries: build::counter(meter, &metric::AGENT_RETRIES),
            approval_wait: build::histogram(meter, &metric::WORKFLOW_APPROVAL_WAIT_TIME),
            overflow: Overflow::default(),
            options,
            units,
        }
    }

    fn of(&self, kind: UnitKind) -> &OfKind {
        match kind {
            UnitKind::Workflow => &self.workflow,
            UnitKind::Agent => &self.agent,
        }
    }
}
