//! Settings with comma-separated lists: exporters, propagators and HTTP methods.

use crate::config::reader::{Invalid, Setting, SettingsReader, parse_one_of};
use crate::config::signal::{Exporter, Signal};
use std::sync::Arc;

/// A propagator of OTEL_PROPAGATORS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagator {
    TraceContext,
    Baggage,
}

impl Propagator {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TraceContext => "tracecontext",
            Self::Baggage => "baggage",
        }
    }
}

/// HTTP method names, case-sensitive.
pub(crate) type HttpMethods = Arc<[Arc<str>]>;

/// The limit of known HTTP methods: each one adds a series per route.
const MAX_METHODS: usize = 64;

/// Reads OTEL_TRACES_EXPORTER and its siblings.
pub(crate) fn read_exporters(
    reader: &mut SettingsReader<'_>,
    signal: Signal,
) -> Setting<Vec<Exporter>> {
    let has_otlp = cfg!(any(feature = "otlp-grpc", feature = "otlp-http"));
    let (default, choices): (Vec<Exporter>, &[(&str, Exporter)]) = match signal {
        Signal::Metrics => (
            if cfg!(feature = "prometheus") { vec![Exporter::Prometheus] } else { vec![] },
            &[
                ("otlp", Exporter::Otlp),
                ("console", Exporter::Console),
                ("prometheus", Exporter::Prometheus),
            ],
        ),
        Signal::Traces | Signal::Logs => (
            if has_otlp && (signal == Signal::Traces || cfg!(feature = "logs")) {
                vec![Exporter::Otlp]
            } else {
                vec![]
            },
            &[("otlp", Exporter::Otlp), ("console", Exporter::Console)],
        ),
    };
    let name = format!("OTEL_{}_EXPORTER", signal.upper());
    reader.list(&[&name], default, |item| {
        let exporter = parse_one_of(item, choices)
            .map_err(|expected| format!("{expected}, several of them with commas, or `none`"))?;
        match exporter {
            Exporter::Prometheus if !cfg!(feature = "prometheus") => {
                Err("another exporter, or hub-otel's feature `prometheus`".to_owned())
            }
            Exporter::Otlp if !has_otlp => {
                Err("another exporter, or hub-otel's feature `otlp-grpc` or `otlp-http`".to_owned())
            }
            compiled => Ok(compiled),
        }
    })
}

/// Reads OTEL_PROPAGATORS.
pub(crate) fn read_propagators(reader: &mut SettingsReader<'_>) -> Setting<Vec<Propagator>> {
    let choices = [Propagator::TraceContext, Propagator::Baggage].map(|item| (item.as_str(), item));
    reader.list(&["OTEL_PROPAGATORS"], vec![Propagator::TraceContext], |item| {
        parse_one_of(item, &choices)
            .map_err(|expected| format!("{expected}, both with a comma, or `none`"))
    })
}

/// Reads OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS. `None`: the methods of the semantic conventions.
/// A list replaces them (HTTP spans, `http.request.method`).
pub(crate) fn read_http_methods(reader: &mut SettingsReader<'_>) -> Setting<Option<HttpMethods>> {
    reader.read(&["OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"], None, |value| {
        let mut methods: Vec<Arc<str>> = Vec::new();
        for item in value.split(',').map(str::trim) {
            if item.is_empty() || !item.bytes().all(is_token) {
                let form = "methods of HTTP with commas, e.g. `GET,POST,PURGE`";
                return Err(Invalid::Unsupported(form.to_owned()));
            }
            if !methods.iter().any(|method| **method == *item) {
                methods.push(item.into());
            }
        }
        if methods.len() > MAX_METHODS {
            return Err(Invalid::Unsupported(format!("no more than {MAX_METHODS} methods")));
        }
        Ok(Some(methods.into()))
    })
}

/// Returns whether `byte` is allowed in a method name (RFC 9110, "Tokens").
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
