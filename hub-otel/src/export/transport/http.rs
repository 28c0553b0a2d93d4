//! OTLP over HTTP/1.1: protobuf or JSON.
//!
//! A plain hyper client. Redirects, transparent decompression and proxy variables of a richer
//! client would need limits of their own.

use crate::config::otlp::{Compression, OtlpConfig, Protocol};
use crate::config::signal::Signal;
use crate::export::transport::connector::{Connector, connector};
use crate::export::transport::{
    ExportResponse, MAX_RESPONSE_BYTES, RetryCause, connection_error, error_chain, partial_success,
    user_agent,
};
use crate::semconv::failure_reason;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use http_types::Method;
use http_types::Request;
use http_types::StatusCode;
use http_types::Uri;
use http_types::header;
use http_types::header::HeaderMap;
use http_types::header::HeaderName;
use http_types::header::HeaderValue;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::borrow::Cow;
use std::io::Read;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::SystemTime;

/// An HTTP client with the constant parts of each request.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    client: Mutex<Client<Connector, Full<Bytes>>>,
    connector: Connector,
    uri: Uri,
    headers: HeaderMap,
    compression: Compression,
    json: bool,
    signal: Signal,
}

impl HttpTransport {
    pub(crate) fn new(signal: Signal, config: &OtlpConfig) -> Result<Self, String> {
        let json = *config.protocol == Protocol::HttpJson;
        let uri = config.endpoint.to_string().parse::<Uri>().map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        let user_agent = HeaderValue::from_str(&user_agent()).map_err(|error| error.to_string())?;
        headers.insert(header::USER_AGENT, user_agent);
        let content_type = if json { "application/json" } else { "application/x-protobuf" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        match *config.compression {
            Compression::None => {}
            other => drop(
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(other.as_str())),
            ),
        }
        for (name, value) in config.headers.iter() {
            let key: HeaderName =
                name.parse().map_err(|_| format!("`{name}` is not a header name"))?;
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| format!("the value of `{name}` is not a valid header value"))?;
            value.set_sensitive(true);
            headers.append(key, value);
        }
        let connector = connector(config)?;
        let client = Mutex::new(client(&connector));
        Ok(Self { client, connector, uri, headers, compression: *config.compression, json, signal })
    }

    pub(crate) async fn send(&self, body: Bytes) -> ExportResponse {
        let Some(body) = compress(body, self.compression) else {
            return ExportResponse::Rejected { reason: Cow::Borrowed(failure_reason::COMPRESSION) };
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let response = match client.request(request).await {
            Ok(response) => response,
            Err(error) => {
                let cause = connection_error(&error, error.is_connect());
                return ExportResponse::Retryable { retry_after: None, cause };
            }
        };
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(parse_retry_after);
        if !status.is_success() {
            return classify(status, retry_after);
        }
        let encoding = response.headers().get(header::CONTENT_ENCODING).cloned();
        match Limited::new(response.into_body(), MAX_RESPONSE_BYTES).collect().await {
            Ok(body) => match decompress(&body.to_bytes(), encoding.as_ref()) {
                Err(ResponseTooLarge) => ExportResponse::Rejected {
                    reason: Cow::Borrowed(failure_reason::RESPONSE_TOO_LARGE),
                },
                // The status is a success; a body in an unsupported encoding is not read.
                Ok(None) => ExportResponse::Accepted { rejected: 0, message: String::new() },
                Ok(Some(body)) => {
                    let partial = if self.json {
                        json_partial_success(&body, self.signal)
                    } else {
                        partial_success(&body)
                    };
                    let (rejected, message) = partial.unwrap_or_default();
                    ExportResponse::Accepted { rejected, message }
                }
            },
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                ExportResponse::Rejected {
                    reason: Cow::Borrowed(failure_reason::RESPONSE_TOO_LARGE),
                }
            }
            Err(error) => ExportResponse::Retryable {
                retry_after: None,
                cause: RetryCause::Transient(error_chain(&*error)),
            },
        }
    }

    pub(crate) fn reconnect(&self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client(&self.connector);
    }
}

fn client(connector: &Connector) -> Client<Connector, Full<Bytes>> {
    // Retries are made and counted by `RetryingExporter` only.
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(8)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_timer(hyper_util::rt::TokioTimer::new())
        .retry_canceled_requests(false)
        .build(connector.clone())
}

/// Classifies a status (OTLP specification, "OTLP/HTTP Response", "Retryable Response Codes").
fn classify(status: StatusCode, retry_after: Option<Duration>) -> ExportResponse {
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
fn parse_retry_after(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn compress(body: Bytes, compression: Compression) -> Option<Bytes> {
    match compression {
        Compression::None => Some(body),
        Compression::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&body).ok()?;
            encoder.finish().ok().map(Bytes::from)
        }
        Compression::Zstd => zstd::bulk::compress(&body, 0).ok().map(Bytes::from),
    }
}

/// The error of a response over [`MAX_RESPONSE_BYTES`].
struct ResponseTooLarge;

/// Decompresses a response up to the size limit. Returns `None` for an invalid body or an
/// unsupported encoding.
fn decompress(
    body: &[u8],
    encoding: Option<&HeaderValue>,
) -> Result<Option<Vec<u8>>, ResponseTooLarge> {
    let mut decompressed = Vec::new();
    let max = MAX_RESPONSE_BYTES as u64 + 1;
    let read = match encoding.map(HeaderValue::as_bytes) {
        None | Some(b"identity" | b"") => return Ok(Some(body.to_vec())),
        Some(b"gzip" | b"x-gzip") => {
            flate2::read::MultiGzDecoder::new(body).take(max).read_to_end(&mut decompressed)
        }
        Some(b"zstd") => zstd::stream::read::Decoder::new(body)
            .and_then(|decoder| decoder.take(max).read_to_end(&mut decompressed)),
        Some(_) => return Ok(None),
    };
    if decompressed.len() > MAX_RESPONSE_BYTES {
        return Err(ResponseTooLarge);
    }
    Ok(read.ok().map(|_| decompressed))
}

/// Parses the partial success of a JSON response. ProtoJSON encodes 64-bit numbers as strings;
/// numbers are accepted as well.
fn json_partial_success(body: &[u8], signal: Signal) -> Option<(u64, String)> {
    let response: serde_json::Value = serde_json::from_slice(body).ok()?;
    let partial = response.get("partialSuccess")?;
    let field = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    let rejected = partial
        .get(field)
        .and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()))
        .unwrap_or(0);
    let message =
        partial.get("errorMessage").and_then(|message| message.as_str()).unwrap_or_default();
    Some((rejected, message.to_owned()))
}
