//! The client's instrument. A host arrives at run time: the SDK's cardinality limit caps it.

use crate::metrics::build;
use crate::semconv::metric;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;

pub(crate) struct Metrics {
    pub(super) duration: Histogram<f64>,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self { duration: build::histogram(meter, &metric::HTTP_CLIENT_REQUEST_DURATION) }
    }
}
