//! Instruments and the metrics of units.
//!
//! ```text
//! Dimensions ──registry──> LabelSet (series) ──counts in──> cells, values
//!                  └─ slots: lock-free table, capped     snapshot ──> /metrics, readers of the SDK
//! ```
//!
//! Labels are bounded. Combinations and values beyond a cap are counted in the overflow series of
//! the metrics SDK specification ("Cardinality limits").

mod cells;
pub(crate) mod dimensions;
pub(crate) mod instruments;
mod registry;
pub(crate) mod series;
mod slots;
pub(crate) mod snapshot;
mod values;

#[cfg(feature = "prometheus")]
pub(crate) use crate::metrics::cells::Durations;
pub(crate) use crate::metrics::dimensions::Dimensions;
pub(crate) use crate::metrics::instruments::overflow_label;
pub(crate) use crate::metrics::registry::UnitMetrics;
pub(crate) use crate::metrics::series::LabelSet;
