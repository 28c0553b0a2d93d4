//! The HTTP client's instrument. Host names are label values that arrive at run time: the SDK's
//! cardinality limit bounds them.

use crate::instance::Instance;
use crate::metrics::instruments;
use crate::semconv::metric;
use opentelemetry::metrics::Histogram;
use opentelemetry::metrics::Meter;

pub(crate) struct HttpClientMetrics {
    pub(super) duration: Histogram<f64>,
}

impl Instance {
    pub(crate) fn http_client(&self) -> &HttpClientMetrics {
        self.extensions.get_or_init(|| HttpClientMetrics::new(&self.meter))
    }
}

impl HttpClientMetrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Self {
            duration: instruments::build_histogram(meter, &metric::HTTP_CLIENT_REQUEST_DURATION),
        }
    }
}
