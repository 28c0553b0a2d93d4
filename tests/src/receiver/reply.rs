//! Replies of the receiver: conforming and faulty ones.

use super::behaviour::Behaviour;
use super::listen::Connection;
use super::record::Signal;
use super::serve::AFTER_REPLY;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future as _;
use std::io::Write;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Creates the status of a rejected gRPC request.
pub(super) fn status(code: Code, retry_info: Option<Duration>) -> Status {
    match retry_info {
        None => Status::new(code, "as scripted"),
        Some(delay) => Status::with_error_details(
            code,
            "as scripted",
            ErrorDetails::with_retry_info(Some(delay)),
        ),
    }
}

/// Creates an HTTP reply: a success, or a partial success if items were rejected. As protobuf, the
/// replies of the three signals have the same encoding.
pub(super) fn http(signal: Signal, json: bool, rejected: u64, message: &str) -> Response<Body> {
    let (kind, body) = if json {
        let field = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Metrics => "rejectedDataPoints",
            Signal::Logs => "rejectedLogRecords",
        };
        // ProtoJSON writes 64-bit numbers as strings.
        let partial = serde_json::json!({ field: rejected.to_string(), "errorMessage": message });
        let reply = if rejected > 0 {
            serde_json::json!({ "partialSuccess": partial })
        } else {
            serde_json::json!({})
        };
        ("application/json", reply.to_string().into_bytes())
    } else {
        let rejected_spans = i64::try_from(rejected).expect("a small number");
        let partial =
            ExportTracePartialSuccess { rejected_spans, error_message: message.to_owned() };
        let reply =
            ExportTraceServiceResponse { partial_success: (rejected > 0).then_some(partial) };
        ("application/x-protobuf", reply.encode_to_vec())
    };
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Applies the scripted fault to a conforming reply.
pub(super) async fn distort(
    Extension(connection): Extension<Connection>,
    mut response: Response<Body>,
) -> Response<Body> {
    let Some(behaviour) = response.extensions_mut().remove::<Behaviour>() else { return response };
    let grpc =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/grpc");
    match behaviour {
        Behaviour::Http { status, retry_after } => refuse(status, retry_after),
        Behaviour::Page(status) => page(status),
        Behaviour::Reply { content_type, body } => {
            let content_type = HeaderValue::from_static(content_type);
            response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            with_body(response, grpc, Body::from(body), None)
        }
        Behaviour::InvalidDetails { code, in_trailers } if grpc => {
            invalid_details(response, code, in_trailers)
        }
        Behaviour::InvalidDetails { .. } => refuse(500, None),
        Behaviour::ResetAfterReply => {
            tokio::spawn(async move {
                // Simulates a server: the reply is sent before the connection is reset.
                tokio::time::sleep(AFTER_REPLY).await;
                connection.reset();
            });
            response
        }
        Behaviour::HalfReply => {
            let body = framed(grpc, warning(200), false);
            let half = body.len() / 2;
            with_body(
                response,
                grpc,
                Body::new(Slow { bytes: body, at: 0, stop: half, pause: None }),
                None,
            )
        }
        Behaviour::Drip => {
            let body = framed(grpc, warning(200), false);
            let stop = body.len();
            let slow = Slow {
                bytes: body,
                at: 0,
                stop,
                pause: Some(Box::pin(tokio::time::sleep(Duration::ZERO))),
            };
            with_body(response, grpc, Body::new(slow), None)
        }
        Behaviour::Huge(length) => {
            whole(response, grpc, framed(grpc, warning(length), false), None)
        }
        Behaviour::Bomb(length) => {
            // Compression takes long and other receivers share the runtime.
            let bomb = tokio::task::spawn_blocking(move || bomb(length)).await.expect("compressed");
            whole(response, grpc, framed(grpc, bomb, true), Some("gzip"))
        }
        Behaviour::CompressedPartial { rejected, encoding } => {
            let json = response
                .headers()
                .get(header::CONTENT_TYPE)
                .is_some_and(|kind| kind == "application/json");
            let body = compress(&partial_of_any_signal(json, rejected), encoding);
            whole(response, grpc, framed(grpc, body, true), Some(encoding))
        }
        Behaviour::Garbage => {
            let garbage = vec![0xff; 64];
            let body = if grpc { framed(true, garbage, false) } else { garbage };
            whole(response, grpc, body, None)
        }
        _ => response,
    }
}

fn refuse(status: u16, retry_after: Option<String>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status code");
    if let Some(value) = retry_after {
        let value = HeaderValue::from_str(&value).expect("a header value");
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn page(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::from("<!doctype html><html><body>no</body></html>"));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status code");
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    response
}

fn invalid_details(mut response: Response<Body>, code: Code, in_trailers: bool) -> Response<Body> {
    let mut status = HeaderMap::new();
    status.insert("grpc-status", HeaderValue::from(code as i32));
    status.insert("grpc-status-details-bin", HeaderValue::from_static("!!!not base64!!!"));
    if in_trailers {
        let body = Full::new(Bytes::from(framed(true, Vec::new(), false)));
        *response.body_mut() = Body::new(body.with_trailers(std::future::ready(Some(Ok(status)))));
    } else {
        response.headers_mut().extend(status);
        *response.body_mut() = Body::empty();
    }
    response
}

/// Encodes a partial success for all three signals: each reads its own field.
fn partial_of_any_signal(json: bool, rejected: u64) -> Vec<u8> {
    if json {
        let count = rejected.to_string();
        let partial = serde_json::json!({
            "rejectedSpans": count, "rejectedDataPoints": count, "rejectedLogRecords": count,
        });
        return serde_json::json!({ "partialSuccess": partial }).to_string().into_bytes();
    }
    let partial = ExportTracePartialSuccess {
        rejected_spans: i64::try_from(rejected).expect("a small number"),
        error_message: "compressed".to_owned(),
    };
    ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

fn compress(body: &[u8], encoding: &str) -> Vec<u8> {
    if encoding == "zstd" {
        return zstd::bulk::compress(body, 0).expect("a Vec takes everything");
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("a Vec takes everything")
}

/// Encodes a success with a warning of that length.
fn warning(length: usize) -> Vec<u8> {
    ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess {
            rejected_spans: 0,
            error_message: "x".repeat(length),
        }),
    }
    .encode_to_vec()
}

/// Compresses such a success as a stream. Created once per length.
fn bomb(length: usize) -> Vec<u8> {
    static CREATED: Mutex<BTreeMap<usize, Vec<u8>>> = Mutex::new(BTreeMap::new());
    CREATED
        .lock()
        .expect("no holder panics")
        .entry(length)
        .or_insert_with(|| compress_bomb(length))
        .clone()
}

fn compress_bomb(length: usize) -> Vec<u8> {
    // Field 1 (partial_success) of the reply, field 2 (error_message) of the partial success.
    let mut inner = vec![0x12];
    prost::encoding::encode_varint(length as u64, &mut inner);
    let mut outer = vec![0x0a];
    prost::encoding::encode_varint((inner.len() + length) as u64, &mut outer);
    outer.extend(inner);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let chunk = vec![b'x'; 1 << 20];
    let written = encoder.write_all(&outer).and_then(|()| {
        let mut left = length;
        while left > 0 {
            let here = left.min(chunk.len());
            encoder.write_all(&chunk[..here])?;
            left -= here;
        }
        encoder.finish()
    });
    written.expect("a Vec takes everything")
}

/// Encodes the message for the wire: with the five-byte prefix of gRPC, or unchanged.
fn framed(grpc: bool, message: Vec<u8>, compressed: bool) -> Vec<u8> {
    if !grpc {
        return message;
    }
    let mut frame = vec![u8::from(compressed)];
    frame.extend(u32::try_from(message.len()).expect("below 4 GiB").to_be_bytes());
    frame.extend(message);
    frame
}

fn whole(
    response: Response<Body>,
    grpc: bool,
    body: Vec<u8>,
    encoding: Option<&'static str>,
) -> Response<Body> {
    let body = if grpc {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Body::new(
            Full::new(Bytes::from(body)).with_trailers(std::future::ready(Some(Ok(trailers)))),
        )
    } else {
        Body::from(body)
    };
    with_body(response, grpc, body, encoding)
}

fn with_body(
    mut response: Response<Body>,
    grpc: bool,
    body: Body,
    encoding: Option<&'static str>,
) -> Response<Body> {
    *response.body_mut() = body;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    if let Some(encoding) = encoding {
        let name = if grpc { "grpc-encoding" } else { "content-encoding" };
        headers.insert(name, HeaderValue::from_static(encoding));
    }
    response
}

/// A body that sends one byte per second, or stops in the middle and stays open.
struct Slow {
    bytes: Vec<u8>,
    at: usize,
    stop: usize,
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.at == this.stop {
            // The end, or never if the rest is withheld.
            return if this.stop == this.bytes.len() { Poll::Ready(None) } else { Poll::Pending };
        }
        let length = match &mut this.pause {
            None => this.stop,
            Some(pause) => {
                std::task::ready!(pause.as_mut().poll(context));
                pause.as_mut().reset(tokio::time::Instant::now() + Duration::from_secs(1));
                1
            }
        };
        let frame = Bytes::copy_from_slice(&this.bytes[this.at..this.at + length]);
        this.at += length;
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }
}
