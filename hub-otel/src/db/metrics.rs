//! The database client's instrument, and a cache of statement summaries.

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

/// The size of the cache. Most programs have fewer statements; one that builds SQL at run time must
/// not make the cache grow without a bound.
const MAX_SUMMARIES: usize = 1024;
/// Longer statements are summarised on each call and not cached.
const MAX_CACHED_BYTES: usize = 8 * 1024;

pub(crate) struct DbMetrics {
    pub(super) duration: Histogram<f64>,
    summaries: RwLock<HashMap<Box<str>, Arc<Summary>>>,
}

impl Instance {
    pub(crate) fn db(&self) -> &DbMetrics {
        self.extensions.get_or_init(|| DbMetrics::new(&self.meter))
    }
}

impl DbMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            duration: instruments::build_histogram(meter, &metric::DB_CLIENT_OPERATION_DURATION),
            summaries: RwLock::default(),
        }
    }

    /// Returns the summary of `sql`, from the cache if it is there.
    pub(super) fn summary(&self, sql: &str) -> Arc<Summary> {
        let summaries = self.summaries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(summary) = summaries.get(sql) {
            return summary.clone();
        }
        drop(summaries);
        let summary = Arc::new(Summary::of(sql));
        if sql.len() <= MAX_CACHED_BYTES {
            let mut summaries = self.summaries.write().unwrap_or_else(PoisonError::into_inner);
            if summaries.len() < MAX_SUMMARIES {
                summaries.insert(sql.into(), summary.clone());
            }
        }
        summary
    }
}
