//! The client's instrument. A host arrives at run time: the SDK's cardinality limit caps it.

use crate::instance::Instance;
use crate::metrics::instruments;
use crate::semconv::metric;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;

pub(crate) struct Metrics {
    pub(super) duration: Histogram<f64>,
}

impl Instance {
    pub(crate) fn http_client(&self) -> &Metrics {
        self.extensions.get_or_init(|| Metrics::new(&self.meter))
    }
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            duration: instruments::build_histogram(meter, &metric::HTTP_CLIENT_REQUEST_DURATION),
        }
    }
}
