//! An instrument and one label set, ready to record: bound where the feature `bound` is on, else looked up by the SDK.
//!
//! More than half of what a call costs by hand is the hashing of attributes; binding does it once.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, UpDownCounter};

#[cfg(feature = "bound")]
mod kind {
    pub(super) type Counter = opentelemetry::metrics::BoundCounter<u64>;
    pub(super) type UpDown = opentelemetry::metrics::BoundUpDownCounter<i64>;
    pub(super) type Histogram = opentelemetry::metrics::BoundHistogram<f64>;
}

/// The same interface as the SDK's bound instruments, by looking the label set up at each call.
#[cfg(not(feature = "bound"))]
mod kind {
    use opentelemetry::KeyValue;

    pub(super) struct Unbound<I> {
        pub(super) instrument: I,
        pub(super) labels: Box<[KeyValue]>,
    }
    pub(super) type Counter = Unbound<opentelemetry::metrics::Counter<u64>>;
    pub(super) type UpDown = Unbound<opentelemetry::metrics::UpDownCounter<i64>>;
    pub(super) type Histogram = Unbound<opentelemetry::metrics::Histogram<f64>>;

    impl Counter {
        pub(super) fn add(&self, value: u64) {
            self.instrument.add(value, &self.labels);
        }
    }
    impl UpDown {
        pub(super) fn add(&self, value: i64) {
            self.instrument.add(value, &self.labels);
        }
    }
    impl Histogram {
        pub(super) fn record(&self, value: f64) {
            self.instrument.record(value, &self.labels);
        }
    }
}

#[cfg(feature = "bound")]
macro_rules! bind {
    ($instrument:expr, $labels:expr) => {
        $instrument.bind($labels)
    };
}
#[cfg(not(feature = "bound"))]
macro_rules! bind {
    ($instrument:expr, $labels:expr) => {
        kind::Unbound { instrument: $instrument.clone(), labels: $labels.into() }
    };
}

/// A counter of one series.
pub(crate) struct BoundCounter(kind::Counter);

impl BoundCounter {
    pub(crate) fn new(instrument: &Counter<u64>, labels: &[KeyValue]) -> Self {
        Self(bind!(instrument, labels))
    }
    #[inline]
    pub(crate) fn add(&self, value: u64) {
        self.0.add(value);
    }
}

/// An up-down counter of one series.
pub(crate) struct BoundUpDown(kind::UpDown);

impl BoundUpDown {
    pub(crate) fn new(instrument: &UpDownCounter<i64>, labels: &[KeyValue]) -> Self {
        Self(bind!(instrument, labels))
    }
    #[inline]
    pub(crate) fn add(&self, value: i64) {
        self.0.add(value);
    }
}

/// A histogram of one series.
pub(crate) struct BoundHistogram(kind::Histogram);

impl BoundHistogram {
    pub(crate) fn new(instrument: &Histogram<f64>, labels: &[KeyValue]) -> Self {
        Self(bind!(instrument, labels))
    }
    #[inline]
    pub(crate) fn record(&self, value: f64) {
        self.0.record(value);
    }
}
