//! OTLP over gRPC.
//!
//! Requests are encoded once for all attempts: the codec passes bytes through.

mod checked_channel;
mod probe;

use crate::config::otlp::{Compression, OtlpConfig};
use crate::config::signal::Signal;
use crate::export::transport::grpc::checked_channel::{
    CheckedChannel, HttpRefusal, UnreadableHead,
};
use crate::export::transport::{
    ExportResponse, MAX_RESPONSE_BYTES, RetryCause, classify_http, connection_error,
    partial_success, user_agent,
};
use crate::semconv::failure_reason;
use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use http_types::uri::PathAndQuery;
use std::borrow::Cow;
use std::error::Error;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use tonic::Code;
use tonic::Request;
use tonic::Status;
use tonic::client::Grpc as Client;
use tonic::codec::Codec;
use tonic::codec::CompressionEncoding;
use tonic::codec::DecodeBuf;
use tonic::codec::Decoder;
use tonic::codec::EncodeBuf;
use tonic::codec::Encoder;
use tonic::metadata::AsciiMetadataKey;
use tonic::metadata::MetadataMap;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::transport::Endpoint;
use tonic_types::StatusExt;

/// A lazily connected channel with the constant parts of each request.
#[derive(Debug)]
pub(crate) struct GrpcTransport {
    #[cfg(feature = "otlp-tls")]
    config: Mutex<OtlpConfig>,
    endpoint: Mutex<Endpoint>,
    channel: Mutex<Channel>,
    metadata: MetadataMap,
    path: PathAndQuery,
    compression: Option<CompressionEncoding>,
    /// The address without TLS, for [`probe::is_http_1`].
    plain_authority: Option<String>,
    probes: AtomicUsize,
}

fn export_method(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

impl GrpcTransport {
    pub(crate) fn new(signal: Signal, config: &OtlpConfig) -> Result<Self, String> {
        let endpoint = endpoint(config)?;
        let mut metadata = MetadataMap::new();
        for (name, value) in config.headers.iter() {
            let key: AsciiMetadataKey =
                name.parse().map_err(|_| format!("`{name}` cannot be sent as gRPC metadata"))?;
            let mut value = MetadataValue::try_from(value.expose().as_str())
                .map_err(|_| format!("the value of `{name}` cannot be sent as gRPC metadata"))?;
            value.set_sensitive(true);
            metadata.append(key, value);
        }
        let channel = Mutex::new(endpoint.connect_lazy());
        let path = PathAndQuery::from_static(export_method(signal));
        let compression = match *config.compression {
            Compression::None => None,
            Compression::Gzip => Some(CompressionEncoding::Gzip),
            Compression::Zstd => Some(CompressionEncoding::Zstd),
        };
        Ok(Self {
            #[cfg(feature = "otlp-tls")]
            config: Mutex::new(config.clone()),
            endpoint: Mutex::new(endpoint),
            channel,
            metadata,
            path,
            compression,
            plain_authority: (!config.endpoint.tls).then(|| config.endpoint.authority()),
            probes: AtomicUsize::new(0),
        })
    }

    pub(crate) async fn send(&self, body: Bytes) -> ExportResponse {
        match self.send_once(body).await {
            ExportResponse::Retryable {
                retry_after,
                cause: RetryCause::Transient(message) | RetryCause::NoResponse(message),
            } if self.is_http_1().await => {
                let cause = RetryCause::OtherProtocol(message);
                ExportResponse::Retryable { retry_after, cause }
            }
            response => response,
        }
    }

    /// Returns whether the server has HTTP/1.1 at this port. Checked a few times, before the first
    /// response of gRPC.
    async fn is_http_1(&self) -> bool {
        let Some(authority) = &self.plain_authority else { return false };
        self.probes.fetch_add(1, Relaxed) < MAX_PROBES && probe::is_http_1(authority).await
    }

    async fn send_once(&self, body: Bytes) -> ExportResponse {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // grpc-go compresses responses like the request, whatever the client accepts.
        let channel = CheckedChannel::new(channel);
        let sent_status = channel.sent_status();
        let mut client = Client::new(channel)
            .max_decoding_message_size(MAX_RESPONSE_BYTES)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd);
        if let Some(encoding) = self.compression {
            client = client.send_compressed(encoding);
        }
        if let Err(error) = client.ready().await {
            return ExportResponse::Retryable {
                retry_after: None,
                cause: transport_error(&*error),
            };
        }
        let mut request = Request::new(body);
        *request.metadata_mut() = self.metadata.clone();
        let response = client.unary(request, self.path.clone(), BytesCodec).await;
        if response.is_ok() || sent_status.was_sent() {
            self.probes.store(MAX_PROBES, Relaxed);
        }
        match response {
            Ok(response) => match partial_success(&response.into_inner()) {
                Some((rejected, message)) => ExportResponse::Accepted { rejected, message },
                None => ExportResponse::unreadable("its message is not the one of OTLP"),
            },
            Err(status) => classify(&status, sent_status.was_sent()),
        }
    }

    pub(crate) fn reconnect(&self) {
        let endpoint = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = endpoint.connect_lazy();
    }

    /// Reads changed certificate files again. Returns whether they changed.
    #[cfg(feature = "otlp-tls")]
    pub(crate) fn reload_certificates(&self) -> Result<bool, String> {
        let mut config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(changed) = config.with_changed_certificates()? else { return Ok(false) };
        let endpoint = endpoint(&changed)?;
        *self.endpoint.lock().unwrap_or_else(PoisonError::into_inner) = endpoint;
        *config = changed;
        drop(config);
        self.reconnect();
        Ok(true)
    }
}

fn endpoint(config: &OtlpConfig) -> Result<Endpoint, String> {
    let endpoint =
        Endpoint::from_shared(config.endpoint.to_string()).map_err(|error| error.to_string())?;
    let endpoint = endpoint
        .user_agent(user_agent())
        .map_err(|error| error.to_string())?
        .connect_timeout(*config.timeout)
        .tcp_nodelay(true);
    #[cfg(feature = "otlp-tls")]
    let endpoint = if config.endpoint.tls {
        endpoint
            .tls_config(tls(config))
            .map_err(|error| crate::export::transport::error_chain(&error))?
    } else {
        endpoint
    };
    Ok(endpoint)
}

/// tonic's text for a message over the limit before decompression. It has no code of its own.
const MESSAGE_TOO_LARGE: &str = "decoded message length too large";
/// tonic's text for a message over the limit after decompression. It has no code of its own.
const DECOMPRESSED_TOO_LARGE: &str = "exceeded while decompressing message";

/// tonic's text for a TLS server without HTTP/2. Its type is private.
const NO_HTTP_2: &str = "HTTP/2 was not negotiated";
/// Connections that are checked for another protocol, until the first response of gRPC.
const MAX_PROBES: usize = 3;

/// Classifies an error of the connection.
fn transport_error(error: &(dyn Error + 'static)) -> RetryCause {
    let is_connect = std::iter::successors(Some(error), |&error| error.source())
        .any(|error| error.is::<tonic::ConnectError>());
    match connection_error(error, is_connect) {
        RetryCause::NoResponse(message) if message.contains(NO_HTTP_2) => {
            RetryCause::OtherProtocol(message)
        }
        cause => cause,
    }
}

/// Classifies a status (OTLP specification, "OTLP/gRPC Response", "Failures"). `was_sent`: the
/// Collector sent it; else it was created while the response was received.
fn classify(status: &Status, was_sent: bool) -> ExportResponse {
    if let Some(source) = status.source() {
        return classify_source(source);
    }
    if !was_sent {
        return classify_undecodable(status);
    }
    let reason = failure_reason::GRPC[status.code() as usize];
    let retry_after = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => ExportResponse::Retryable {
            retry_after,
            cause: RetryCause::Transient(reason.to_owned()),
        },
        // Retryable only with RetryInfo, by the specification.
        Code::ResourceExhausted if retry_after.is_some() => ExportResponse::Retryable {
            retry_after,
            cause: RetryCause::Transient(reason.to_owned()),
        },
        _ => ExportResponse::Rejected { reason: Cow::Borrowed(reason) },
    }
}

/// Classifies the error of a request without a gRPC response.
fn classify_source(source: &(dyn Error + 'static)) -> ExportResponse {
    let sources = || std::iter::successors(Some(source), |&error| error.source());
    if let Some(refusal) = sources().find_map(|error| error.downcast_ref::<HttpRefusal>()) {
        return classify_http(refusal.status, refusal.retry_after);
    }
    if let Some(head) = sources().find_map(|error| error.downcast_ref::<UnreadableHead>()) {
        return ExportResponse::unreadable(head.to_string());
    }
    ExportResponse::Retryable { retry_after: None, cause: transport_error(source) }
}

/// Classifies an error of the local decoder.
fn classify_undecodable(status: &Status) -> ExportResponse {
    let is_too_large = match status.code() {
        Code::OutOfRange => status.message().contains(MESSAGE_TOO_LARGE),
        Code::ResourceExhausted => status.message().contains(DECOMPRESSED_TOO_LARGE),
        _ => false,
    };
    if is_too_large {
        ExportResponse::Rejected { reason: Cow::Borrowed(failure_reason::RESPONSE_TOO_LARGE) }
    } else {
        ExportResponse::unreadable(status.message())
    }
}

#[cfg(feature = "otlp-tls")]
fn tls(config: &OtlpConfig) -> tonic::transport::ClientTlsConfig {
    use tonic::transport::Certificate;
    use tonic::transport::ClientTlsConfig;
    use tonic::transport::Identity;
    let mut tls = ClientTlsConfig::new();
    tls = match &config.tls.certificate {
        // A configured certificate replaces the public roots.
        Some(pem) => tls.ca_certificate(Certificate::from_pem(pem.contents.expose())),
        None => tls.with_webpki_roots(),
    };
    if let (Some(certificate), Some(key)) = (&config.tls.client_certificate, &config.tls.client_key)
    {
        tls =
            tls.identity(Identity::from_pem(certificate.contents.expose(), key.contents.expose()));
    }
    tls
}

/// A codec that passes encoded messages through.
#[derive(Debug, Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

#[cfg(test)]
#[cfg(feature = "otlp-http")]
mod tests {
    use super::*;
    use http_body_util::Full;
    use std::io::Write;
    use tonic::codec::Streaming;

    const LIMIT: usize = 1024;

    /// Decodes one gRPC frame with a message over the limit.
    async fn decode(message: &[u8], encoding: Option<CompressionEncoding>) -> Status {
        let mut frame = vec![u8::from(encoding.is_some())];
        frame.extend(u32::try_from(message.len()).expect("a short message").to_be_bytes());
        frame.extend(message);
        let body = Full::new(Bytes::from(frame));
        let status = http_types::StatusCode::OK;
        let mut stream = Streaming::new_response(BytesCodec, body, status, encoding, Some(LIMIT));
        stream.message().await.expect_err("over the limit")
    }

    #[tokio::test]
    async fn tonic_reports_a_message_over_the_limit_with_the_expected_texts() {
        let plain = decode(&[0; 2 * LIMIT], None).await;
        assert_eq!(plain.code(), Code::OutOfRange);
        assert!(plain.message().contains(MESSAGE_TOO_LARGE), "{plain}");

        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&[0; 64 * LIMIT]).expect("written to memory");
        let compressed = encoder.finish().expect("written to memory");
        assert!(compressed.len() < LIMIT, "under the limit before decompression");
        let bomb = decode(&compressed, Some(CompressionEncoding::Gzip)).await;
        assert_eq!(bomb.code(), Code::ResourceExhausted);
        assert!(bomb.message().contains(DECOMPRESSED_TOO_LARGE), "{bomb}");
    }
}
