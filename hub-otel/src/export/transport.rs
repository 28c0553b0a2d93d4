//! One export attempt and the classification of its response by the rules of OTLP.
//!
//! The exporters of `opentelemetry-otlp` are not used: they read the environment on their own, and
//! report a response as text without its code, Retry-After and partial success.

#[cfg(feature = "otlp-http")]
mod connector;
#[cfg(feature = "otlp-grpc")]
mod grpc;
#[cfg(feature = "otlp-http")]
mod http;

use crate::config::otlp::OtlpConfig;
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
use crate::config::otlp::Protocol;
use crate::config::signal::Signal;
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
use crate::semconv::failure_reason;
use bytes::Bytes;
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
use http_types::{StatusCode, header::HeaderValue};
use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::time::Duration;
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
use std::time::SystemTime;

/// The response to one attempt, by the categories of the OTLP specification.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExportResponse {
    /// Accepted, except for `rejected` items (partial success).
    Accepted { rejected: u64, message: String },
    /// To be retried, not before `retry_after` if the Collector set it.
    Retryable { retry_after: Option<Duration>, cause: RetryCause },
    /// A success by its status, with a body that is not a response of OTLP, for example the page
    /// of a proxy. To be retried a few times.
    Unreadable { detail: String },
    /// Not to be retried.
    Rejected { reason: Cow<'static, str> },
}

impl ExportResponse {
    /// Creates an unreadable response. `detail` completes "the response is not OTLP: …".
    #[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
    fn unreadable(detail: impl Into<String>) -> Self {
        Self::Unreadable { detail: detail.into() }
    }
}

/// The cause of a retry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RetryCause {
    /// No TCP connection: the name does not resolve or no process listens at the address.
    /// `is_refused`: the address was reached, and no process listens there.
    Unreachable { message: String, is_refused: bool },
    /// A retryable response.
    Transient(String),
    /// A broken connection, a timeout, or a response that is not OTLP.
    NoResponse(String),
    /// A response in another protocol.
    OtherProtocol(String),
}

/// The size limit of a response: the fields read from it are a number and a message.
pub(crate) const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The OTLP transport of one signal.
#[derive(Debug)]
pub(crate) enum Transport {
    #[cfg(feature = "otlp-grpc")]
    Grpc(Box<grpc::GrpcTransport>),
    #[cfg(feature = "otlp-http")]
    Http(Box<http::HttpTransport>),
    /// No transport is compiled in.
    #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
    Unsupported(std::convert::Infallible),
}

impl Transport {
    /// Creates the transport without connecting. Must be called in the export runtime's context.
    pub(crate) fn new(signal: Signal, config: &OtlpConfig) -> Result<Self, String> {
        match *config.protocol {
            #[cfg(feature = "otlp-grpc")]
            Protocol::Grpc => {
                grpc::GrpcTransport::new(signal, config).map(|grpc| Self::Grpc(Box::new(grpc)))
            }
            #[cfg(feature = "otlp-http")]
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                http::HttpTransport::new(signal, config).map(|http| Self::Http(Box::new(http)))
            }
            #[cfg(not(all(feature = "otlp-grpc", feature = "otlp-http")))]
            other => Err(format!(
                "a protocol for {signal} that is compiled in, not `{}`",
                other.as_str()
            )),
        }
    }

    /// Sends one request. The caller sets the timeout.
    pub(crate) async fn send(&self, body: Bytes) -> ExportResponse {
        match self {
            #[cfg(feature = "otlp-grpc")]
            Self::Grpc(grpc) => grpc.send(body).await,
            #[cfg(feature = "otlp-http")]
            Self::Http(http) => http.send(body).await,
            #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
            Self::Unsupported(never) => {
                drop(body);
                match *never {}
            }
        }
    }

    /// Reads changed certificate files again and connects with them. Returns whether they changed.
    ///
    /// # Errors
    /// A file cannot be read or is invalid. The old certificates stay in use.
    #[cfg(feature = "otlp-tls")]
    pub(crate) fn reload_certificates(&self) -> Result<bool, String> {
        match self {
            #[cfg(feature = "otlp-grpc")]
            Self::Grpc(grpc) => grpc.reload_certificates(),
            #[cfg(feature = "otlp-http")]
            Self::Http(http) => http.reload_certificates(),
            #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
            Self::Unsupported(never) => match *never {},
        }
    }

    /// Without TLS there are no certificate files.
    #[cfg(not(feature = "otlp-tls"))]
    pub(crate) fn reload_certificates(&self) -> Result<bool, String> {
        Ok(false)
    }

    /// Drops the connection after a timeout: it may be half open.
    pub(crate) fn reconnect(&self) {
        match self {
            #[cfg(feature = "otlp-grpc")]
            Self::Grpc(grpc) => grpc.reconnect(),
            #[cfg(feature = "otlp-http")]
            Self::Http(http) => http.reconnect(),
            #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
            Self::Unsupported(never) => match *never {},
        }
    }
}

/// Returns the messages of `error` and its sources, separated by colons.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_message = cause.to_string();
        if !message.contains(&cause_message) {
            message.push_str(": ");
            message.push_str(&cause_message);
        }
        source = cause.source();
    }
    message
}

/// Classifies a connection error. `is_connect`: the error occurred while connecting.
pub(crate) fn connection_error(error: &(dyn Error + 'static), is_connect: bool) -> RetryCause {
    let message = error_chain(error);
    let kind = io_error_kind(error).filter(|kind| is_connect && is_unreachable(*kind));
    match kind {
        Some(kind) => RetryCause::Unreachable {
            message,
            is_refused: kind == io::ErrorKind::ConnectionRefused,
        },
        None => RetryCause::NoResponse(message),
    }
}

/// Returns the kind of the first I/O error among `error` and its sources.
fn io_error_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref::<io::Error>())
        .map(io::Error::kind)
}

/// Returns whether an I/O error while connecting means that no TCP connection was established.
///
/// The listed kinds are those of a failed TLS handshake on an established connection and of a
/// timeout. A positive list is not possible: the standard library has no stable kind for a failed
/// name resolution.
fn is_unreachable(kind: io::ErrorKind) -> bool {
    !matches!(
        kind,
        io::ErrorKind::Other
            | io::ErrorKind::InvalidData
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::TimedOut
    )
}

/// Decodes the partial success of a protobuf response: the number of rejected items and the
/// message. The three signals' messages have the same field numbers.
pub(crate) fn partial_success(body: &[u8]) -> Option<(u64, String)> {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message;
    let response = ExportTraceServiceResponse::decode(body).ok()?;
    let partial = response.partial_success.unwrap_or_default();
    Some((u64::try_from(partial.rejected_spans).unwrap_or(0), partial.error_message))
}

/// Classifies an HTTP status (OTLP specification, "OTLP/HTTP Response", "Retryable Response
/// Codes"; gRPC, "HTTP to gRPC Status Code Mapping": the same codes become UNAVAILABLE).
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
fn classify_http(status: StatusCode, retry_after: Option<Duration>) -> ExportResponse {
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => ExportResponse::Retryable {
            retry_after,
            cause: RetryCause::Transient(format!("HTTP {}", status.as_u16())),
        },
        other => {
            let reason = format!("{}{}", failure_reason::HTTP_PREFIX, other.as_u16());
            ExportResponse::Rejected { reason: Cow::Owned(reason) }
        }
    }
}

/// Parses seconds or a date (RFC 9110, section 10.2.3). Returns `None` for anything else.
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
fn parse_retry_after(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Returns the User-Agent header (OTLP specification, "User Agent").
#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
fn user_agent() -> String {
    let sdk_version = crate::export::resource::SDK_VERSION;
    format!("OTel-OTLP-Exporter-Rust/{sdk_version} hub-otel/{}", env!("CARGO_PKG_VERSION"))
}
