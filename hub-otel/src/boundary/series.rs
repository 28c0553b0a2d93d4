//! One histogram or counter with its labels fixed: bound once, recorded without hashing (feature `bound`).

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, UpDownCounter};

/// A histogram's series.
#[derive(Debug)]
pub(crate) struct Duration {
    #[cfg(feature = "bound")]
    bound: opentelemetry::metrics::BoundHistogram<f64>,
    #[cfg(not(feature = "bound"))]
    unbound: (Histogram<f64>, Vec<KeyValue>),
}

impl Duration {
    #[cfg(feature = "bound")]
    pub(crate) fn bind(histogram: &Histogram<f64>, labels: Vec<KeyValue>) -> Self {
        Self { bound: histogram.bind(&labels) }
    }

    #[cfg(not(feature = "bound"))]
    pub(crate) fn bind(histogram: &Histogram<f64>, labels: Vec<KeyValue>) -> Self {
        Self { unbound: (histogram.clone(), labels) }
    }

    pub(crate) fn record(&self, duration: std::time::Duration) {
        #[cfg(feature = "bound")]
        self.bound.record(duration.as_secs_f64());
        #[cfg(not(feature = "bound"))]
        self.unbound.0.record(duration.as_secs_f64(), &self.unbound.1);
    }
}

/// An up-down counter's series.
#[derive(Debug)]
pub(crate) struct Level {
    #[cfg(feature = "bound")]
    bound: opentelemetry::metrics::BoundUpDownCounter<i64>,
    #[cfg(not(feature = "bound"))]
    unbound: (UpDownCounter<i64>, Vec<KeyValue>),
}

impl Level {
    #[cfg(feature = "bound")]
    pub(crate) fn bind(counter: &UpDownCounter<i64>, labels: Vec<KeyValue>) -> Self {
        Self { bound: counter.bind(&labels) }
    }

    #[cfg(not(feature = "bound"))]
    pub(crate) fn bind(counter: &UpDownCounter<i64>, labels: Vec<KeyValue>) -> Self {
        Self { unbound: (counter.clone(), labels) }
    }

    pub(crate) fn add(&self, amount: i64) {
        #[cfg(feature = "bound")]
        self.bound.add(amount);
        #[cfg(not(feature = "bound"))]
        self.unbound.0.add(amount, &self.unbound.1);
    }
}
