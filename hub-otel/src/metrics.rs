//! Instruments and the series of units.
//!
//! ```text
//! Dimensions ──registry──> LabelSet (series) ──binds──> instruments
//!                  └─ slots: lock-free table, capped at MAX_LABEL_SETS
//! ```
//!
//! Labels are bounded. Combinations and values beyond a cap are counted in the overflow series of
//! the metrics SDK specification ("Cardinality limits").

pub(crate) mod dimensions;
pub(crate) mod instruments;
mod registry;
pub(crate) mod series;
mod slots;

pub(crate) use crate::metrics::dimensions::{Dimensions, MAX_LABEL_SETS};
pub(crate) use crate::metrics::instruments::overflow_label;
pub(crate) use crate::metrics::registry::UnitMetrics;
pub(crate) use crate::metrics::series::LabelSet;
