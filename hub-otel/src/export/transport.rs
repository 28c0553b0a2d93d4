//! One attempt to hand a request to the Collector, and what its answer means by the rules of OTLP.
//!
//! Not the exporters of opentelemetry-otlp: they read the environment on their own, and report an answer as a sentence
//! in which code, Retry-After and partial success are lost.

#[cfg(all(feature = "otlp-http", feature = "otlp-tls"))]
mod connector;
#[cfg(feature = "otlp-grpc")]
mod grpc;
#[cfg(feature = "otlp-http")]
mod http;

#[cfg(any(feature = "otlp-grpc", feature = "otlp-http"))]
use crate::config::Protocol;
use crate::config::{OtlpConfig, Signal};
use bytes::Bytes;
use std::borrow::Cow;
use std::time::Duration;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    /// The Collector took the request; all but `rejected` items of it.
    Accepted { rejected: u64, message: String },
    /// It may be sent again, no sooner than after `wait` where the Collector said so.
    Again { wait: Option<Duration>, why: Why },
    /// It must not be sent again.
    Refused { reason: Cow<'static, str> },
}

/// Why an attempt has to be repeated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Why {
    /// Nobody listens there, or the name is not known.
    Unreachable(String),
    /// The connection broke, or the answer said so.
    Trouble(String),
}

/// The longest answer that is read: all that matters in it is a number and a sentence.
pub(crate) const LONGEST_REPLY: usize = 64 * 1024;
/// The reason in the ledger of an answer that is longer, packed or not.
const TOO_LARGE: &str = "reply_too_large";

/// The way to the Collector for one signal.
#[derive(Debug)]
pub(crate) enum Transport {
    #[cfg(feature = "otlp-grpc")]
    Grpc(Box<grpc::Grpc>),
    #[cfg(feature = "otlp-http")]
    Http(Box<http::Http>),
    /// No transport is compiled in.
    #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
    Nowhere(std::convert::Infallible),
}

impl Transport {
    /// Prepares the way; dials nothing yet. Within the private runtime.
    pub(crate) fn new(signal: Signal, config: &OtlpConfig) -> Result<Self, String> {
        match *config.protocol {
            #[cfg(feature = "otlp-grpc")]
            Protocol::Grpc => {
                grpc::Grpc::new(signal, config).map(|grpc| Self::Grpc(Box::new(grpc)))
            }
            #[cfg(feature = "otlp-http")]
            Protocol::HttpProtobuf | Protocol::HttpJson => {
                http::Http::new(signal, config).map(|http| Self::Http(Box::new(http)))
            }
            #[cfg(not(all(feature = "otlp-grpc", feature = "otlp-http")))]
            other => Err(format!(
                "a protocol for {signal} that is compiled in, not `{}`",
                other.as_str()
            )),
        }
    }

    /// Sends one request. The deadline is the caller's.
    pub(crate) async fn send(&self, body: Bytes) -> Reply {
        match self {
            #[cfg(feature = "otlp-grpc")]
            Self::Grpc(grpc) => grpc.send(body).await,
            #[cfg(feature = "otlp-http")]
            Self::Http(http) => http.send(body).await,
            #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
            Self::Nowhere(never) => {
                drop(body);
                match *never {}
            }
        }
    }

    /// Drops the connection: it answered too late, and may be half open.
    pub(crate) fn reconnect(&self) {
        match self {
            #[cfg(feature = "otlp-grpc")]
            Self::Grpc(grpc) => grpc.reconnect(),
            #[cfg(feature = "otlp-http")]
            Self::Http(http) => http.reconnect(),
            #[cfg(not(any(feature = "otlp-grpc", feature = "otlp-http")))]
            Self::Nowhere(never) => match *never {},
        }
    }
}

/// The text of an error and of what caused it.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Sorts the failure of a connection: was there anybody?
pub(crate) fn connection_failed(error: &(dyn std::error::Error + 'static)) -> Why {
    let text = chain(error);
    if text.contains("tcp connect error")
        || text.contains("dns error")
        || text.contains("Connection refused")
    {
        Why::Unreachable(text)
    } else {
        Why::Trouble(text)
    }
}

/// The message of a partial success, and the number of items that were rejected: `ExportTracePartialSuccess` and its
/// two siblings have the same fields.
pub(crate) fn partial_success(body: &[u8]) -> Option<(u64, String)> {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message;
    let response = ExportTraceServiceResponse::decode(body).ok()?;
    let partial = response.partial_success.unwrap_or_default();
    Some((u64::try_from(partial.rejected_spans).unwrap_or(0), partial.error_message))
}
