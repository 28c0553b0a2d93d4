//! OTLP over HTTP/1.1: protobuf or JSON.
//!
//! A plain hyper client. Redirects, transparent decompression and proxy variables of a richer
//! client would need limits of their own.

use crate::config::otlp::{Compression, OtlpConfig, Protocol};
use crate::config::signal::Signal;
use crate::export::body::{Undecodable, decompress, media_type};
use crate::export::transport::connector::{Connector, connector};
use crate::export::transport::{
    ExportResponse, MAX_RESPONSE_BYTES, RetryCause, classify_http, connection_error, error_chain,
    parse_retry_after, partial_success, user_agent,
};
use crate::semconv::failure_reason;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use http_body_util::Limited;
use http_types::Method;
use http_types::Request;
use http_types::Uri;
use http_types::header;
use http_types::header::HeaderMap;
use http_types::header::HeaderName;
use http_types::header::HeaderValue;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::borrow::Cow;
use std::error::Error;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// An HTTP client with the constant parts of each request.
#[derive(Debug)]
pub(crate) struct HttpTransport {
    #[cfg(feature = "otlp-tls")]
    config: Mutex<OtlpConfig>,
    client: Mutex<Client<Connector, Full<Bytes>>>,
    connector: Mutex<Connector>,
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
            if key == header::USER_AGENT {
                headers.insert(key, value);
            } else {
                headers.append(key, value);
            }
        }
        let connector = connector(config)?;
        let client = Mutex::new(client(&connector));
        Ok(Self {
            #[cfg(feature = "otlp-tls")]
            config: Mutex::new(config.clone()),
            client,
            connector: Mutex::new(connector),
            uri,
            headers,
            compression: *config.compression,
            json,
            signal,
        })
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
                let cause = match connection_error(&error, error.is_connect()) {
                    RetryCause::NoResponse(message) if is_other_protocol(&error) => {
                        RetryCause::OtherProtocol(message)
                    }
                    cause => cause,
                };
                return ExportResponse::Retryable { retry_after: None, cause };
            }
        };
        let status = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER).and_then(parse_retry_after);
        if !status.is_success() {
            return classify_http(status, retry_after);
        }
        let (head, body) = response.into_parts();
        match Limited::new(body, MAX_RESPONSE_BYTES).collect().await {
            Ok(body) => read_reply(&head.headers, &body.to_bytes(), self.json, self.signal),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                ExportResponse::Rejected {
                    reason: Cow::Borrowed(failure_reason::RESPONSE_TOO_LARGE),
                }
            }
            Err(error) => ExportResponse::Retryable {
                retry_after: None,
                cause: RetryCause::NoResponse(error_chain(&*error)),
            },
        }
    }

    pub(crate) fn reconnect(&self) {
        let connector = self.connector.lock().unwrap_or_else(PoisonError::into_inner);
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client(&connector);
    }

    /// Reads changed certificate files again. Returns whether they changed.
    #[cfg(feature = "otlp-tls")]
    pub(crate) fn reload_certificates(&self) -> Result<bool, String> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(changed) = config.with_changed_certificates()? else { return Ok(false) };
        let connector = connector(&changed)?;
        *self.connector.lock().unwrap_or_else(PoisonError::into_inner) = connector;
        *config = changed;
        drop(config);
        self.reconnect();
        Ok(true)
    }
}

/// Returns whether the response is no HTTP/1.1, for example the begin of HTTP/2.
fn is_other_protocol(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref::<hyper::Error>())
        .is_some_and(|error| error.is_parse() || is_unexpected_message(error))
}

/// Returns whether the server sent bytes before the request, as one of HTTP/2 does. hyper has no
/// method for this kind: the only one without a cause of which all others are false.
fn is_unexpected_message(error: &hyper::Error) -> bool {
    error.source().is_none()
        && ![
            error.is_user(),
            error.is_canceled(),
            error.is_closed(),
            error.is_incomplete_message(),
            error.is_body_write_aborted(),
            error.is_shutdown(),
            error.is_timeout(),
        ]
        .contains(&true)
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

/// Reads the reply of a request that was sent as JSON or as protobuf.
fn read_reply(headers: &HeaderMap, body: &[u8], json: bool, signal: Signal) -> ExportResponse {
    let encoding = headers.get(header::CONTENT_ENCODING);
    let body = match decompress(body, encoding, MAX_RESPONSE_BYTES) {
        Ok(body) => body,
        Err(Undecodable::TooLarge) => {
            return ExportResponse::Rejected {
                reason: Cow::Borrowed(failure_reason::RESPONSE_TOO_LARGE),
            };
        }
        Err(Undecodable::Invalid(encoding) | Undecodable::Unsupported(encoding)) => {
            return ExportResponse::unreadable(format!("its body cannot be read as `{encoding}`"));
        }
    };
    let as_json = || json_partial_success(&body, signal);
    let media_type = media_type(headers.get(header::CONTENT_TYPE));
    let partial = match media_type.as_str() {
        // The page of a proxy.
        "text/html" | "application/xhtml+xml" => None,
        // Several servers reply with an empty body of any type.
        _ if body.is_empty() => Some((0, String::new())),
        "application/json" => as_json(),
        "application/x-protobuf" | "application/protobuf" => partial_success(&body),
        // No type or a general one, such as `text/plain`: the body decides.
        _ if json => as_json(),
        _ => partial_success(&body).or_else(as_json),
    };
    match partial {
        Some((rejected, message)) => ExportResponse::Accepted { rejected, message },
        None => ExportResponse::unreadable(format!(
            "its body is not the one of OTLP, its content type is `{media_type}`"
        )),
    }
}

/// Parses a JSON response: the number of rejected items and the message. ProtoJSON encodes 64-bit
/// numbers as strings; numbers are accepted as well. Returns `None` if it is not an object.
fn json_partial_success(body: &[u8], signal: Signal) -> Option<(u64, String)> {
    let response: serde_json::Value = serde_json::from_slice(body).ok()?;
    let response = response.as_object()?;
    let Some(partial) = response.get("partialSuccess") else { return Some((0, String::new())) };
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
