//! Label sets per kind of unit.

use crate::metrics::dimensions::Dimensions;
use crate::metrics::instruments::UnitInstruments;
use crate::metrics::series::LabelSet;
use crate::metrics::slots::SlotTable;
use crate::options::Options;
use crate::unit_kind::UnitKind;
use opentelemetry::metrics::Meter;
use std::sync::Arc;

/// Instruments and label sets of the units of one instance.
pub(crate) struct UnitMetrics {
    pub(crate) instruments: Arc<UnitInstruments>,
    workflows: SlotTable,
    agents: SlotTable,
}

impl UnitMetrics {
    pub(crate) fn new(meter: &Meter, options: Options) -> Self {
        Self {
            instruments: Arc::new(UnitInstruments::new(meter, options)),
            workflows: SlotTable::default(),
            agents: SlotTable::default(),
        }
    }

    /// Returns the label set of `dimensions`. At first use it is created, with its declared
    /// counters at zero.
    pub(crate) fn label_set(&self, kind: UnitKind, dimensions: &Dimensions<'_>) -> Arc<LabelSet> {
        let table = match kind {
            UnitKind::Workflow => &self.workflows,
            UnitKind::Agent => &self.agents,
        };
        let set = table.get_or_insert(dimensions, |overflowing| {
            if overflowing {
                LabelSet::overflowing(&self.instruments, kind, dimensions)
            } else {
                LabelSet::declared(&self.instruments, kind, dimensions)
            }
        });
        if set.overflowing {
            self.instruments.overflow.count("id", dimensions.id);
        }
        set
    }

    /// Creates a set outside the table that declares no counter, for a workflow with an unknown
    /// trigger.
    pub(crate) fn undeclared_workflow(&self, dimensions: &Dimensions<'_>) -> Arc<LabelSet> {
        Arc::new(LabelSet::undeclared(&self.instruments, UnitKind::Workflow, dimensions))
    }

    /// Returns the number of label values that were counted in an overflow series.
    #[cfg(feature = "testing")]
    pub(crate) fn overflowed(&self) -> u64 {
        self.instruments.overflow.times()
    }
}
