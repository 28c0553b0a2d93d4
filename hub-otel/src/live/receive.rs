//! Spans of other processes: OTLP over HTTP, as exporters and Collectors send it.
//!
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

mod decode;
mod reply;

use self::decode::{Received, decode_json, decode_protobuf};
use self::reply::{Encoding, Refusal, accepted};
use super::access::Denied;
use super::body::LiveResponse;
use super::server::{LiveServer, MAX_REQUESTS};
use crate::export::body::{Undecodable, decompress, media_type};
use crate::live::store::{MAX_PROCESSES, is_same_process};
use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use http_types::request::Parts;
use http_types::{Method, StatusCode, header};
use std::error::Error;
use std::time::Duration;
use tokio::time::timeout;

/// Size limit of a body as it is sent.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Size limit of a body after its decompression.
const MAX_DECOMPRESSED: usize = 8 * 1024 * 1024;
/// Time limit of a request: the wait for its turn, and its body.
const MAX_TIME: Duration = Duration::from_secs(5);
/// Spans that are stored under one lock.
const BATCH: usize = 256;

/// Returns whether a path is one of OTLP.
pub(super) fn is_otlp(path: &str) -> bool {
    path.starts_with("/v1/")
}

impl LiveServer {
    /// Handles a request of OTLP. The body is read after everything else is checked.
    pub(super) async fn receive<B>(&self, parts: &Parts, body: B) -> LiveResponse
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let encoding = Encoding::of(&media_type(parts.headers.get(header::CONTENT_TYPE)));
        let result = match self.check(parts, encoding) {
            Ok(encoding) => self.store_body(parts, encoding, body).await,
            Err(refusal) => Err(refusal),
        };
        result.unwrap_or_else(|refusal| refusal.into_response(encoding))
    }

    /// Checks everything that does not need the body.
    fn check(&self, parts: &Parts, encoding: Option<Encoding>) -> Result<Encoding, Refusal> {
        let path = parts.uri.path();
        self.access.check_host(parts).map_err(|denied| refuse(denied, parts))?;
        self.access.check_bearer(parts).map_err(|denied| refuse(denied, parts))?;
        self.access.check_origin(parts).map_err(|denied| refuse(denied, parts))?;
        if path != "/v1/traces" {
            let text = format!(
                "the live view does not accept {path}, only /v1/traces: set \
                 OTEL_EXPORTER_OTLP_TRACES_ENDPOINT to its URL instead of \
                 OTEL_EXPORTER_OTLP_ENDPOINT"
            );
            return Err(Refusal::new(StatusCode::NOT_FOUND, text));
        }
        if parts.method != Method::POST {
            let text = format!("{} is not permitted on {path}; expected POST", parts.method);
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text));
        }
        encoding.ok_or_else(|| {
            let found = media_type(parts.headers.get(header::CONTENT_TYPE));
            let text = format!(
                "content-type is `{found}`; expected `application/x-protobuf` or \
                 `application/json`: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL to `http/protobuf`"
            );
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
        })
    }

    async fn store_body<B>(
        &self,
        parts: &Parts,
        encoding: Encoding,
        body: B,
    ) -> Result<LiveResponse, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Ok(Ok(_slot)) = timeout(MAX_TIME, self.receiving.acquire()).await else {
            let text = format!("{MAX_REQUESTS} other requests are in progress; try again");
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text));
        };
        let body = match timeout(MAX_TIME, Limited::new(body, MAX_BODY).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_large(MAX_BODY)),
            Ok(Err(error)) => {
                let text = format!("the body cannot be read: {error}");
                return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
            }
            Err(_) => {
                let text = format!("the body did not arrive within {} s", MAX_TIME.as_secs());
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text));
            }
        };
        let encodings = parts.headers.get(header::CONTENT_ENCODING);
        let body = decompress(&body, encodings, MAX_DECOMPRESSED).map_err(|error| match error {
            Undecodable::TooLarge => too_large(MAX_DECOMPRESSED),
            Undecodable::Invalid(name) => {
                let text = format!("the body cannot be decompressed as `{name}`");
                Refusal::new(StatusCode::BAD_REQUEST, text)
            }
            Undecodable::Unsupported(name) => {
                let text = format!("content-encoding is `{name}`; expected `gzip` or none");
                Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
            }
        })?;
        let received = match encoding {
            Encoding::Protobuf => decode_protobuf(&body.into(), &self.config.deny),
            Encoding::Json => decode_json(&body.into(), &self.config.deny),
        };
        let received = received.map_err(|error| {
            let text = format!("the body is no ExportTraceServiceRequest: {error}");
            Refusal::new(StatusCode::BAD_REQUEST, text)
        })?;
        let (dropped, reason) = self.store_received(received).await;
        Ok(accepted(encoding, dropped, reason))
    }

    /// Stores spans. Returns the number of those without space, and the reasons.
    async fn store_received(&self, received: Vec<Received>) -> (usize, String) {
        // The ends of this process come first: some of the spans may be its own.
        self.drain();
        let own = self.own_resource();
        let [mut processes, mut full, mut invalid] = [0; 3];
        for Received { resource, spans, invalid: unreadable } in received {
            invalid += unreadable;
            if is_same_process(&resource, &own) {
                // Everything that this process records is in the store.
                continue;
            }
            let Some(process) = self.store().process(resource) else {
                processes += spans.len();
                continue;
            };
            let mut spans = spans.into_iter();
            while spans.len() > 0 {
                {
                    let mut store = self.store();
                    for span in spans.by_ref().take(BATCH) {
                        full += usize::from(!store.receive(span, &process));
                    }
                }
                // The exports of this process share the thread.
                tokio::task::yield_now().await;
            }
        }
        let version = self.store().version();
        self.changed.send_replace(version);
        let mut reasons = Vec::new();
        if full > 0 {
            reasons.push(format!("{full} spans for which the store or their trace has no space"));
        }
        if processes > 0 {
            reasons.push(format!("{processes} spans of more than {MAX_PROCESSES} processes"));
        }
        if invalid > 0 {
            reasons.push(format!("{invalid} spans without valid ids or over 1 MiB"));
        }
        (processes + full + invalid, reasons.join(", "))
    }
}

fn too_large(limit: usize) -> Refusal {
    let text = format!(
        "the body exceeds {limit} bytes; lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE of the sender, or \
         send_batch_max_size of the Collector"
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

fn refuse(denied: Denied, parts: &Parts) -> Refusal {
    let value = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    match denied {
        Denied::Host => {
            let host = value(header::HOST).unwrap_or_default();
            let text = format!(
                "the host `{host}` is not permitted; add its name to OTEL_HUB_LIVE_HOSTS of the \
                 live view"
            );
            Refusal::new(StatusCode::FORBIDDEN, text)
        }
        Denied::Origin => {
            let origin = value(header::ORIGIN).unwrap_or_default();
            let text = format!("a page of another site has no access: origin `{origin}`");
            Refusal::new(StatusCode::FORBIDDEN, text)
        }
        Denied::Token => {
            let text = "the live view requires its token: set \
                        OTEL_EXPORTER_OTLP_TRACES_HEADERS to `authorization=Bearer%20TOKEN`";
            Refusal::new(StatusCode::UNAUTHORIZED, text.to_owned())
        }
    }
}
