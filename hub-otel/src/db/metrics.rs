//! The database client's instrument, and the summaries of the statements seen so far.

use crate::db::summary::Summary;
use crate::instance::Instance;
use crate::metrics::instruments;
use crate::semconv::metric;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

/// Programs have few statements; what builds SQL at run time must not grow this for ever.
const SUMMARIES: usize = 1024;
const LONGEST: usize = 8 * 1024;

pub(crate) struct Metrics {
    pub(super) duration: Histogram<f64>,
    summaries: RwLock<HashMap<Box<str>, Arc<Summary>>>,
}

impl Instance {
    pub(crate) fn db(&self) -> &Metrics {
        self.extensions.get_or_init(|| Metrics::new(&self.meter))
    }
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            duration: instruments::build_histogram(meter, &metric::DB_CLIENT_OPERATION_DURATION),
            summaries: RwLock::default(),
        }
    }

    /// The summary of `sql`, read once per text.
    pub(super) fn summary(&self, sql: &str) -> Arc<Summary> {
        if let Some(summary) =
            self.summaries.read().unwrap_or_else(PoisonError::into_inner).get(sql)
        {
            return summary.clone();
        }
        let summary = Arc::new(Summary::of(sql));
        if sql.len() <= LONGEST {
            let mut summaries = self.summaries.write().unwrap_or_else(PoisonError::into_inner);
            if summaries.len() < SUMMARIES {
                summaries.insert(sql.into(), summary.clone());
            }
        }
        summary
    }
}
