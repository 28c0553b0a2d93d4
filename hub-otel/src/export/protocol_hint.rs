//! The remedy for gRPC to a port of HTTP, and the reverse.

use crate::config::otlp::OtlpConfig;
use crate::config::reader::Origin;
use crate::semconv::failure_reason;

/// Statuses of an HTTP server for a request of gRPC: no such path, method or type.
const REFUSALS: [&str; 4] = ["404", "405", "415", "426"];

/// The hint for one signal.
#[derive(Debug)]
pub(crate) struct ProtocolHint {
    pub(crate) message: String,
    /// The endpoint has the default port of the other protocol.
    pub(crate) is_other_port: bool,
    is_http: bool,
}

impl ProtocolHint {
    pub(crate) fn new(otlp: &OtlpConfig) -> Self {
        let is_http = otlp.protocol.is_http();
        let endpoint = &otlp.endpoint.value;
        let protocol_variable = variable(&otlp.protocol.origin, "OTEL_EXPORTER_OTLP_PROTOCOL");
        let endpoint_variable = variable(&otlp.endpoint.origin, "OTEL_EXPORTER_OTLP_ENDPOINT");
        let (protocol, other, other_value, port) = if is_http {
            ("HTTP/1.1", "gRPC", "`grpc`", 4318)
        } else {
            ("gRPC", "HTTP", "`http/protobuf` (feature `otlp-http`)", 4317)
        };
        let message = format!(
            "{} does not respond in {protocol}, it may be a port of OTLP over {other}: set \
             {protocol_variable} to {other_value}, or the port of {endpoint_variable} to that of \
             OTLP over {protocol} ({port} by default)",
            endpoint.authority(),
        );
        let is_other_port = endpoint.port == if is_http { 4317 } else { 4318 };
        Self { message, is_other_port, is_http }
    }

    /// Returns whether a rejection may be one of the other protocol.
    pub(crate) fn applies_to_refusal(&self, reason: &str) -> bool {
        reason
            .strip_prefix(failure_reason::HTTP_PREFIX)
            .is_some_and(|status| REFUSALS.contains(&status))
            && (self.is_other_port || !self.is_http)
    }
}

/// Returns the variable or the method of the builder to change.
fn variable(origin: &Origin, default: &str) -> String {
    match origin {
        Origin::Default => default.to_owned(),
        chosen => chosen.to_string(),
    }
}
