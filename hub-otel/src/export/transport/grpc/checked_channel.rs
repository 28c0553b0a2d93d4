//! A gRPC channel that checks the head of a response before a gRPC frame is decoded.
//!
//! A proxy in between responds with an HTTP status and a page. Decoded as a gRPC frame, the page
//! hides the status: the batch would be rejected as INTERNAL and not retried.

use crate::export::transport::parse_retry_after;
use http_body_util::BodyExt;
use http_types::StatusCode;
use http_types::header;
use http_types::header::HeaderMap;
use http_types::header::HeaderValue;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_STATUS_DETAILS: &str = "grpc-status-details-bin";
const GRPC_ENCODING: &str = "grpc-encoding";
/// The encodings that the client accepts.
const ENCODINGS: [&str; 3] = ["identity", "gzip", "zstd"];

type BoxError = Box<dyn Error + Send + Sync>;

/// The channel of one request.
#[derive(Debug, Clone)]
pub(super) struct CheckedChannel {
    channel: Channel,
    sent_status: SentStatus,
}

/// Set once a response has a gRPC status other than OK. Without one, an error is local.
#[derive(Debug, Clone, Default)]
pub(super) struct SentStatus(Arc<AtomicBool>);

impl SentStatus {
    pub(super) fn was_sent(&self) -> bool {
        self.0.load(Relaxed)
    }

    fn record(&self, headers: &HeaderMap) {
        if headers.get(GRPC_STATUS).is_some_and(|status| status.as_bytes() != b"0") {
            self.0.store(true, Relaxed);
        }
    }
}

/// An HTTP error without a gRPC status.
#[derive(Debug)]
pub(super) struct HttpRefusal {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
}

impl fmt::Display for HttpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status.as_u16())
    }
}

impl Error for HttpRefusal {}

/// A head with status 200 that is not one of gRPC.
#[derive(Debug)]
pub(super) struct UnreadableHead {
    name: &'static str,
    value: String,
}

impl fmt::Display for UnreadableHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {} is `{}`", self.name, self.value)
    }
}

impl Error for UnreadableHead {}

impl CheckedChannel {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, sent_status: SentStatus::default() }
    }

    pub(super) fn sent_status(&self) -> SentStatus {
        self.sent_status.clone()
    }
}

impl GrpcService<Body> for CheckedChannel {
    type ResponseBody = Body;
    type Error = BoxError;
    type Future =
        Pin<Box<dyn Future<Output = Result<http_types::Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        GrpcService::poll_ready(&mut self.channel, context).map_err(Into::into)
    }

    fn call(&mut self, request: http_types::Request<Body>) -> Self::Future {
        let response = GrpcService::call(&mut self.channel, request);
        let sent_status = self.sent_status.clone();
        Box::pin(async move {
            let (mut head, body) = response.await?.into_parts();
            check(head.status, &mut head.headers)?;
            remove_invalid_details(&mut head.headers);
            sent_status.record(&head.headers);
            let body = body.map_frame(move |mut frame| {
                if let Some(trailers) = frame.trailers_mut() {
                    remove_invalid_details(trailers);
                    sent_status.record(trailers);
                }
                frame
            });
            Ok(http_types::Response::from_parts(head, Body::new(body)))
        })
    }
}

/// Checks status, content type and encoding. A gRPC status takes precedence over the HTTP status
/// (gRPC, "HTTP to gRPC Status Code Mapping").
fn check(status: StatusCode, headers: &mut HeaderMap) -> Result<(), BoxError> {
    if headers.contains_key(GRPC_STATUS) {
        return Ok(());
    }
    if status != StatusCode::OK {
        let retry_after = headers.get(header::RETRY_AFTER).and_then(parse_retry_after);
        return Err(HttpRefusal { status, retry_after }.into());
    }
    let content_type = lower_case(headers.get(header::CONTENT_TYPE));
    if !content_type.starts_with("application/grpc") {
        return Err(UnreadableHead { name: "content-type", value: content_type }.into());
    }
    if let Some(encoding) = headers.get(GRPC_ENCODING) {
        let encoding = lower_case(Some(encoding));
        let Some(known) = ENCODINGS.iter().find(|known| **known == encoding) else {
            return Err(UnreadableHead { name: GRPC_ENCODING, value: encoding }.into());
        };
        // tonic compares the case.
        headers.insert(GRPC_ENCODING, HeaderValue::from_static(known));
    }
    Ok(())
}

fn lower_case(value: Option<&HeaderValue>) -> String {
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.trim().to_ascii_lowercase()
}

/// Removes status details that are not base64: tonic panics on them.
fn remove_invalid_details(headers: &mut HeaderMap) {
    let Some(details) = headers.get(GRPC_STATUS_DETAILS) else { return };
    let mut single = HeaderMap::new();
    single.insert(GRPC_STATUS_DETAILS, details.clone());
    let metadata = MetadataMap::from_headers(single);
    let is_valid =
        metadata.get_bin(GRPC_STATUS_DETAILS).is_some_and(|details| details.to_bytes().is_ok());
    if !is_valid {
        headers.remove(GRPC_STATUS_DETAILS);
    }
}
