//! Carriers: what propagation headers are written to and read from.

use std::collections::HashMap;
use std::hash::BuildHasher;

/// A carrier that propagation headers are written to.
///
/// Implemented for `HashMap<String, String>` and, with the features `axum` or `reqwest`, for
/// `http::HeaderMap`. For another type one method is enough:
///
/// ```
/// use hub_otel::propagation::{Injector, inject};
///
/// /// A message whose headers are a list of pairs.
/// #[derive(Default)]
/// struct Message {
///     headers: Vec<(String, String)>,
/// }
///
/// impl Injector for Message {
///     fn set(&mut self, key: &str, value: String) {
///         self.headers.push((key.to_owned(), value));
///     }
/// }
///
/// let mut message = Message::default();
/// inject(&mut message);
/// # assert!(message.headers.is_empty(), "no telemetry is installed");
/// ```
pub trait Injector {
    /// Sets the header `key`, which is lower-case. Called once per header, never with an empty
    /// value.
    fn set(&mut self, key: &str, value: String);
}

/// A carrier that propagation headers are read from.
///
/// Implemented for `HashMap<String, String>` and, with the features `axum` or `reqwest`, for
/// `http::HeaderMap`. For another type one method is enough:
///
/// ```
/// use hub_otel::propagation::{Extractor, extract};
///
/// /// A message whose headers are a list of pairs.
/// struct Message {
///     headers: Vec<(String, String)>,
/// }
///
/// impl Extractor for Message {
///     fn get(&self, key: &str) -> Option<&str> {
///         let header = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
///         header.map(|(_, value)| value.as_str())
///     }
/// }
///
/// let message = Message { headers: Vec::new() };
/// let parent = extract(&message);
/// # let _ = parent;
/// ```
pub trait Extractor {
    /// Returns the value of the header `key`, which is lower-case.
    fn get(&self, key: &str) -> Option<&str>;

    /// Returns the values of all lines of the header `key`. Defaults to the one of
    /// [`get`](Self::get).
    ///
    /// `tracestate` and `baggage` may be split into several lines, which form one list (RFC 9110,
    /// "Field Lines and Combined Field Value").
    fn get_all(&self, key: &str) -> Vec<&str> {
        self.get(key).into_iter().collect()
    }

    /// Returns the names of the headers. Defaults to none: only propagators of the application
    /// (`otel::TelemetryBuilderExt::propagator`) may need them.
    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl<S: BuildHasher> Injector for HashMap<String, String, S> {
    fn set(&mut self, key: &str, value: String) {
        self.insert(key.to_owned(), value);
    }
}

/// Keys are compared as they are: a map with `Traceparent` in it has no `traceparent`.
impl<S: BuildHasher> Extractor for HashMap<String, String, S> {
    fn get(&self, key: &str) -> Option<&str> {
        HashMap::get(self, key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        HashMap::keys(self).map(String::as_str).collect()
    }
}

/// A value that is not a valid header value is left out.
#[cfg(any(feature = "axum", feature = "reqwest", feature = "tower"))]
impl Injector for http_types::HeaderMap {
    fn set(&mut self, key: &str, value: String) {
        use http_types::{HeaderName, HeaderValue};
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.insert(name, value);
        }
    }
}

/// A value that is not visible ASCII is treated as absent.
#[cfg(any(feature = "axum", feature = "reqwest", feature = "tower"))]
impl Extractor for http_types::HeaderMap {
    fn get(&self, key: &str) -> Option<&str> {
        http_types::HeaderMap::get(self, key).and_then(|value| value.to_str().ok())
    }

    fn get_all(&self, key: &str) -> Vec<&str> {
        let lines = http_types::HeaderMap::get_all(self, key).iter();
        lines.filter_map(|value| value.to_str().ok()).collect()
    }

    fn keys(&self) -> Vec<&str> {
        http_types::HeaderMap::keys(self).map(http_types::HeaderName::as_str).collect()
    }
}

/// Adapts an [`Injector`] to OpenTelemetry's trait of the same name.
pub(super) struct OtelInjector<'a>(pub(super) &'a mut dyn Injector);

impl opentelemetry::propagation::Injector for OtelInjector<'_> {
    fn set(&mut self, key: &str, value: String) {
        // The SDK sets `tracestate` even if it has no members; an empty header is not valid.
        if !value.is_empty() {
            self.0.set(key, value);
        }
    }
}

/// Adapts an [`Extractor`] to OpenTelemetry's trait of the same name, whose propagators read one
/// line of each header.
pub(crate) struct OtelExtractor<'a> {
    carrier: &'a dyn Extractor,
    /// Headers in several lines, with their combined value. `None` for a header that is not a list.
    combined: Vec<(&'static str, Option<String>)>,
}

impl<'a> OtelExtractor<'a> {
    pub(crate) fn new(carrier: &'a dyn Extractor) -> Self {
        let mut combined = Vec::new();
        for (header, is_list) in [("traceparent", false), ("tracestate", true), ("baggage", true)] {
            let lines = carrier.get_all(header);
            if lines.len() > 1 {
                combined.push((header, is_list.then(|| lines.join(","))));
            }
        }
        Self { carrier, combined }
    }
}

impl opentelemetry::propagation::Extractor for OtelExtractor<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match self.combined.iter().find(|(header, _)| *header == key) {
            Some((_, value)) => value.as_deref(),
            None => self.carrier.get(key),
        }
    }

    fn keys(&self) -> Vec<&str> {
        self.carrier.keys()
    }
}
