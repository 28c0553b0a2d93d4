//! Label sets per kind of unit, and their series for the readers of the SDK.

use crate::metrics::dimensions::Dimensions;
use crate::metrics::instruments::{
    UnitInstruments, observe_i64_up_down_counter, observe_u64_counter,
};
use crate::metrics::series::LabelSet;
use crate::metrics::slots::SlotTable;
use crate::metrics::snapshot::{SeriesValue, Snapshot, UnitMetric};
use crate::options::Options;
use crate::unit_kind::UnitKind;
use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use std::sync::Arc;
use std::sync::Weak;

/// Instruments and label sets of the units of one instance.
pub(crate) struct UnitMetrics {
    pub(crate) instruments: Arc<UnitInstruments>,
    workflows: SlotTable,
    agents: SlotTable,
    /// Without series, for the units that are calls.
    llms: Arc<LabelSet>,
    tools: Arc<LabelSet>,
}

/// Context value during a collection that leaves the units out.
struct WithoutUnits;

impl UnitMetrics {
    /// Creates the metrics. `sdk_reads_units` registers them with the SDK, for readers other than
    /// [`snapshot`](Self::snapshot).
    ///
    /// The SDK's data cannot be created outside of it. Counters and the gauge are therefore
    /// observed by its readers, and durations are recorded a second time, in a histogram of the
    /// SDK: temporality, views and the test kit apply to them as to every instrument.
    pub(crate) fn new(meter: &Meter, options: Options, sdk_reads_units: bool) -> Arc<Self> {
        let instruments = Arc::new(UnitInstruments::new(meter, options, sdk_reads_units));
        let none = Dimensions { id: "", trigger_or_action: "", extra: &[] };
        let uncounted = |kind| Arc::new(LabelSet::overflowing(&instruments, kind, &none));
        let metrics = Arc::new(Self {
            workflows: SlotTable::new(options.max_label_sets),
            agents: SlotTable::new(options.max_label_sets),
            llms: uncounted(UnitKind::Llm),
            tools: uncounted(UnitKind::Tool),
            instruments,
        });
        if sdk_reads_units {
            observe(meter, &Arc::downgrade(&metrics));
        }
        metrics
    }

    /// Returns the label set of `dimensions`. At first use it is created, with its declared
    /// counters at zero.
    pub(crate) fn label_set(&self, kind: UnitKind, dimensions: &Dimensions<'_>) -> Arc<LabelSet> {
        let table = match kind {
            UnitKind::Workflow => &self.workflows,
            UnitKind::Agent => &self.agents,
            UnitKind::Llm => return Arc::clone(&self.llms),
            UnitKind::Tool => return Arc::clone(&self.tools),
        };
        let set = table.get_or_insert(dimensions, |overflowing| {
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

    /// Creates a set outside the table, which is not exported, for a workflow with an unknown
    /// trigger.
    pub(crate) fn unlisted_workflow(&self, dimensions: &Dimensions<'_>) -> Arc<LabelSet> {
        Arc::new(LabelSet::new(&self.instruments, UnitKind::Workflow, dimensions))
    }

    /// Returns the series of all units.
    pub(crate) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(self.workflows.sets().map(Arc::as_ref), self.agents.sets().map(Arc::as_ref))
    }

    /// Runs a collection of the SDK that leaves the units out: its caller reads a snapshot.
    #[cfg(any(feature = "prometheus", feature = "live"))]
    pub(crate) fn left_out<T>(collect: impl FnOnce() -> T) -> T {
        let _guard = Context::current_with_value(WithoutUnits).attach();
        collect()
    }

    /// Returns the number of label values that were counted in an overflow series.
    #[cfg(feature = "testing")]
    pub(crate) fn overflowed(&self) -> u64 {
        self.instruments.overflow.times()
    }
}

/// Registers the counters and the gauge of `metrics` with the SDK.
fn observe(meter: &Meter, metrics: &Weak<UnitMetrics>) {
    for metric in UnitMetric::ALL {
        let metrics = Weak::clone(metrics);
        let visit = move |f: &mut dyn FnMut(&[KeyValue], SeriesValue<'_>)| {
            let is_left_out = |context: &Context| context.get::<WithoutUnits>().is_some();
            if !Context::map_current(is_left_out)
                && let Some(metrics) = metrics.upgrade()
            {
                metrics.snapshot().visit(metric, f);
            }
        };
        match metric {
            UnitMetric::Duration(_) => {}
            UnitMetric::Active => {
                observe_i64_up_down_counter(meter, metric.definition(), move |observer| {
                    visit(&mut |labels, value| {
                        if let SeriesValue::InFlight(active) = value {
                            observer.observe(active, labels);
                        }
                    });
                });
            }
            UnitMetric::Errors(_) | UnitMetric::Retries | UnitMetric::Runs(_) => {
                observe_u64_counter(meter, metric.definition(), move |observer| {
                    visit(&mut |labels, value| {
                        if let SeriesValue::Count(count) = value {
                            observer.observe(count, labels);
                        }
                    });
                });
            }
        }
    }
}
