//! W3C Trace Context in HTTP headers.

use http_types::HeaderMap;
#[cfg(feature = "axum")]
use opentelemetry::propagation::Extractor;
#[cfg(feature = "reqwest")]
use opentelemetry::propagation::Injector;

/// Headers to read from.
#[cfg(feature = "axum")]
pub(crate) struct Inbound<'a>(pub(crate) &'a HeaderMap);

#[cfg(feature = "axum")]
impl Extractor for Inbound<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http_types::HeaderName::as_str).collect()
    }
}

/// Headers to write to.
#[cfg(feature = "reqwest")]
pub(crate) struct Outbound<'a>(pub(crate) &'a mut HeaderMap);

#[cfg(feature = "reqwest")]
impl Injector for Outbound<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing.
        if value.is_empty() {
            return;
        }
        let name = http_types::HeaderName::from_bytes(key.as_bytes());
        if let (Ok(name), Ok(value)) = (name, http_types::HeaderValue::from_str(&value)) {
            self.0.insert(name, value);
        }
    }
}
