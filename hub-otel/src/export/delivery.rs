//! The deliveries by one exporter: this library's, or one of the application.

use crate::config::signal::Signal;
use crate::export::accounting::Accounting;
use std::sync::Arc;

/// The counts of one exporter.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) signal: Signal,
    /// The name of an exporter of the application. `None` for the exporter of this library.
    pub(crate) exporter: Option<Arc<str>>,
    pub(crate) accounting: Arc<Accounting>,
}
