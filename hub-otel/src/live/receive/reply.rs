//! Responses of OTLP over HTTP, in the encoding of the request.

use crate::live::body::{LiveBody, LiveResponse};
use http_types::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http_types::{Response, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;

/// Encoding of a request and its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// Returns the encoding of a media type.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn respond(self, status: StatusCode, message: &(impl Message + Serialize)) -> LiveResponse {
        let (body, media_type) = match self {
            Self::Protobuf => (message.encode_to_vec(), "application/x-protobuf"),
            Self::Json => (serde_json::to_vec(message).unwrap_or_default(), "application/json"),
        };
        let mut response = Response::new(LiveBody::from(bytes::Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        response
    }
}

/// Returns the response of an accepted request, with the number of spans that were dropped.
pub(super) fn accepted(encoding: Encoding, dropped: usize, reason: String) -> LiveResponse {
    let partial_success = (dropped > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(dropped).unwrap_or(i64::MAX),
        error_message: format!("the live view did not store {reason}"),
    });
    encoding.respond(StatusCode::OK, &ExportTraceServiceResponse { partial_success })
}

/// A request that is not accepted, as `google.rpc.Status`.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: String) -> Self {
        Self { status, message }
    }

    /// Returns the response. Without a known encoding it is JSON.
    pub(super) fn into_response(self, encoding: Option<Encoding>) -> LiveResponse {
        let status = RpcStatus { code: code(self.status), message: self.message };
        let mut response = encoding.unwrap_or(Encoding::Json).respond(self.status, &status);
        let header: Option<(HeaderName, &'static str)> = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "1")),
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            _ => None,
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Returns the code of `google.rpc.Code` for a status of HTTP.
fn code(status: StatusCode) -> i32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 5,
        StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 3,
    }
}
