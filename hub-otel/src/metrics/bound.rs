//! An instrument and one label set, ready to record: bound, so that its attributes are hashed once.
//!

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::UpDownCounter;

/// A counter of one series.
pub(crate) struct BoundCounter(opentelemetry::metrics::BoundCounter<u64>);

impl BoundCounter {
    pub(crate) fn new(instrument: &Counter<u64>, labels: &[KeyValue]) -> Self {
        Self(instrument.bind(labels))
    }
    #[inline]
    pub(crate) fn add(&self, value: u64) {
        self.0.add(value);
    }
}

/// An up-down counter of one series.
pub(crate) struct BoundUpDown(opentelemetry::metrics::BoundUpDownCounter<i64>);

impl BoundUpDown {
    pub(crate) fn new(instrument: &UpDownCounter<i64>, labels: &[KeyValue]) -> Self {
        Self(instrument.bind(labels))
    }
    #[inline]
    pub(crate) fn add(&self, value: i64) {
        self.0.add(value);
    }
}

/// A histogram of one series.
pub(crate) struct BoundHistogram(opentelemetry::metrics::BoundHistogram<f64>);

impl BoundHistogram {
    pub(crate) fn new(instrument: &Histogram<f64>, labels: &[KeyValue]) -> Self {
        Self(instrument.bind(labels))
    }
    #[inline]
    pub(crate) fn record(&self, value: f64) {
        self.0.record(value);
    }
}
