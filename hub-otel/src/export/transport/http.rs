//! OTLP over HTTP/1.1: protobuf or JSON.
//!
//! A plain hyper client: one that follows redirects, unpacks answers and reads proxy variables on its own would be
//! harder to keep within bounds.

use crate::config::otlp::Compression;
use crate::config::{OtlpConfig, Protocol, Signal};
use crate::export::transport::{
    LONGEST_REPLY, Reply, TOO_LARGE, Why, connection_failed, partial_success,
};
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

#[cfg(feature = "otlp-tls")]
type Connector = hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>;
#[cfg(not(feature = "otlp-tls"))]
type Connector = hyper_util::client::legacy::connect::HttpConnector;

/// A client and what each request begins with.
#[derive(Debug)]
pub(crate) struct Http {
    client: Mutex<Client<Connector, Full<Bytes>>>,
    connector: Connector,
    uri: Uri,
    headers: HeaderMap,
    compression: Compression,
    json: bool,
    signal: Signal,
}

impl Http {
    pub(crate) fn new(signal: Signal, config: &OtlpConfig) -> Result<Self, String> {
        let json = *config.protocol == Protocol::HttpJson;
        let uri = config.endpoint.to_string().parse::<Uri>().map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(crate::telemetry::USER_AGENT));
        let kind = if json { "application/json" } else { "application/x-protobuf" };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        match *config.compression {
            Compression::None => {}
            other => drop(
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(other.as_str())),
            ),
        }
        for (name, value) in config.headers.iter() {
            let key: HeaderName =
                name.parse().map_err(|_| format!("`{name}` is no header name"))?;
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| format!("the value of `{name}` is not one that a header can carry"))?;
            value.set_sensitive(true);
            headers.append(key, value);
        }
        #[cfg(feature = "otlp-tls")]
        let connector = crate::export::transport::connector::connector(config)?;
        #[cfg(not(feature = "otlp-tls"))]
        let connector = crate::export::transport::http::plain(*config.timeout);
        let client = Mutex::new(client(&connector));
        Ok(Self { client, connector, uri, headers, compression: *config.compression, json, signal })
    }

    pub(crate) async fn send(&self, body: Bytes) -> Reply {
        let Some(body) = pack(body, self.compression) else {
            return Reply::Refused { reason: Cow::Borrowed("compression") };
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let response = match client.request(request).await {
            Ok(response) => response,
            Err(error) => return Reply::Again { wait: None, why: connection_failed(&error) },
        };
        let status = response.status();
        let wait = response.headers().get(header::RETRY_AFTER).and_then(retry_after);
        if !status.is_success() {
            return classify(status, wait);
        }
        let packed = response.headers().get(header::CONTENT_ENCODING).cloned();
        match Limited::new(response.into_body(), LONGEST_REPLY).collect().await {
            Ok(body) => match unpack(&body.to_bytes(), packed.as_ref()) {
                Err(TooLong) => Reply::Refused { reason: Cow::Borrowed(TOO_LARGE) },
                // It was taken; what else it says, in a packing that nobody asked for, stays unknown.
                Ok(None) => Reply::Accepted { rejected: 0, message: String::new() },
                Ok(Some(body)) => {
                    let partial = if self.json {
                        json_partial_success(&body, self.signal)
                    } else {
                        partial_success(&body)
                    };
                    let (rejected, message) = partial.unwrap_or_default();
                    Reply::Accepted { rejected, message }
                }
            },
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Reply::Refused { reason: Cow::Borrowed(TOO_LARGE) }
            }
            Err(error) => Reply::Again {
                wait: None,
                why: Why::Trouble(crate::export::transport::chain(&*error)),
            },
        }
    }

    pub(crate) fn reconnect(&self) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client(&self.connector);
    }
}

fn client(connector: &Connector) -> Client<Connector, Full<Bytes>> {
    // Retries are counted and waited for by us alone.
    Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(8)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_timer(hyper_util::rt::TokioTimer::new())
        .retry_canceled_requests(false)
        .build(connector.clone())
}

/// The connector under TLS, or without it.
pub(crate) fn plain(timeout: Duration) -> hyper_util::client::legacy::connect::HttpConnector {
    let mut connector = hyper_util::client::legacy::connect::HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(timeout));
    connector.enforce_http(false);
    connector
}

/// OTLP specification, "OTLP/HTTP Response": what may be sent again.
fn classify(status: StatusCode, wait: Option<Duration>) -> Reply {
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            Reply::Again { wait, why: Why::Trouble(format!("HTTP {}", status.as_u16())) }
        }
        other => Reply::Refused { reason: Cow::Owned(format!("http_{}", other.as_u16())) },
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3). Anything else is as good as none.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

fn pack(body: Bytes, compression: Compression) -> Option<Bytes> {
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

/// An answer that is longer than any answer needs to be.
struct TooLong;

/// The answer as it was before it was packed, unpacked no further than anybody reads; `None` where it cannot be unpacked.
fn unpack(body: &[u8], packing: Option<&HeaderValue>) -> Result<Option<Vec<u8>>, TooLong> {
    let mut unpacked = Vec::new();
    let most = LONGEST_REPLY as u64 + 1;
    let read = match packing.map(HeaderValue::as_bytes) {
        None | Some(b"identity" | b"") => return Ok(Some(body.to_vec())),
        Some(b"gzip" | b"x-gzip") => {
            flate2::read::MultiGzDecoder::new(body).take(most).read_to_end(&mut unpacked)
        }
        Some(b"zstd") => zstd::stream::read::Decoder::new(body)
            .and_then(|decoder| decoder.take(most).read_to_end(&mut unpacked)),
        Some(_) => return Ok(None),
    };
    if unpacked.len() > LONGEST_REPLY {
        return Err(TooLong);
    }
    Ok(read.ok().map(|_| unpacked))
}

/// The partial success of a JSON answer: 64-bit numbers are strings there, or numbers.
fn json_partial_success(body: &[u8], signal: Signal) -> Option<(u64, String)> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let partial = answer.get("partialSuccess")?;
    let field = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    let rejected = partial
        .get(field)
        .and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()))
        .unwrap_or(0);
    let message = partial.get("errorMessage").and_then(|text| text.as_str()).unwrap_or_default();
    Some((rejected, message.to_owned()))
}
