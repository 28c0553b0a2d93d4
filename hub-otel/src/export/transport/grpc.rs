//! OTLP over gRPC.
//!
//! The request is encoded once, by us, whatever the number of attempts: the codec here only passes bytes on.

use crate::config::otlp::Compression;
use crate::config::{OtlpConfig, Signal};
use crate::export::transport::{
    LONGEST_REPLY, Reply, TOO_LARGE, Why, connection_failed, partial_success,
};
use bytes::Buf;
use bytes::BufMut;
use bytes::Bytes;
use http_types::uri::PathAndQuery;
use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::PoisonError;
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

/// A channel that dials when it is needed.
#[derive(Debug)]
pub(crate) struct Grpc {
    endpoint: Endpoint,
    channel: Mutex<Channel>,
    metadata: MetadataMap,
    path: PathAndQuery,
    compression: Option<CompressionEncoding>,
}

fn service(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

impl Grpc {
    pub(crate) fn new(signal: Signal, config: &OtlpConfig) -> Result<Self, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let endpoint =
            Endpoint::from_shared(config.endpoint.to_string()).map_err(|error| text(&error))?;
        let endpoint = endpoint
            .user_agent(crate::telemetry::USER_AGENT)
            .map_err(|error| text(&error))?
            .connect_timeout(*config.timeout)
            .tcp_nodelay(true);
        #[cfg(feature = "otlp-tls")]
        let endpoint = if config.endpoint.tls {
            endpoint
                .tls_config(tls(config))
                .map_err(|error| crate::export::transport::chain(&error))?
        } else {
            endpoint
        };
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
        let path = PathAndQuery::from_static(service(signal));
        let compression = match *config.compression {
            Compression::None => None,
            Compression::Gzip => Some(CompressionEncoding::Gzip),
            Compression::Zstd => Some(CompressionEncoding::Zstd),
        };
        Ok(Self { endpoint, channel, metadata, path, compression })
    }

    pub(crate) async fn send(&self, body: Bytes) -> Reply {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // A server may pack its answer as the request was packed, whatever was asked for: grpc-go does.
        let mut client = Client::new(channel)
            .max_decoding_message_size(LONGEST_REPLY)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd);
        if let Some(encoding) = self.compression {
            client = client.send_compressed(encoding);
        }
        if let Err(error) = client.ready().await {
            return Reply::Again { wait: None, why: connection_failed(&error) };
        }
        let mut request = Request::new(body);
        *request.metadata_mut() = self.metadata.clone();
        match client.unary(request, self.path.clone(), Raw).await {
            // A body that cannot be read says nothing about the request, which was taken.
            Ok(reply) => {
                let (rejected, message) = partial_success(&reply.into_inner()).unwrap_or_default();
                Reply::Accepted { rejected, message }
            }
            Err(status) => classify(&status),
        }
    }

    pub(crate) fn reconnect(&self) {
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = self.endpoint.connect_lazy();
    }
}

/// OTLP specification, "OTLP/gRPC Response", "Failures".
fn classify(status: &Status) -> Reply {
    // A status that the transport made up has a cause; one that the Collector sent has none.
    if let Some(cause) = std::error::Error::source(status) {
        return Reply::Again { wait: None, why: connection_failed(cause) };
    }
    let reason = || Cow::Borrowed(code_name(status.code()));
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        // Our own decoder's: the answer is longer than any answer needs to be.
        Code::OutOfRange if status.message().contains("decoded message length too large") => {
            Reply::Refused { reason: Cow::Borrowed(TOO_LARGE) }
        }
        Code::ResourceExhausted
            if status.message().contains("exceeded while decompressing message") =>
        {
            Reply::Refused { reason: Cow::Borrowed(TOO_LARGE) }
        }
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Reply::Again { wait, why: Why::Trouble(reason().into_owned()) },
        Code::ResourceExhausted if wait.is_some() => {
            Reply::Again { wait, why: Why::Trouble(reason().into_owned()) }
        }
        _ => Reply::Refused { reason: reason() },
    }
}

/// The reason in the ledger: a closed list.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "grpc_ok",
        Code::Cancelled => "grpc_cancelled",
        Code::Unknown => "grpc_unknown",
        Code::InvalidArgument => "grpc_invalid_argument",
        Code::DeadlineExceeded => "grpc_deadline_exceeded",
        Code::NotFound => "grpc_not_found",
        Code::AlreadyExists => "grpc_already_exists",
        Code::PermissionDenied => "grpc_permission_denied",
        Code::ResourceExhausted => "grpc_resource_exhausted",
        Code::FailedPrecondition => "grpc_failed_precondition",
        Code::Aborted => "grpc_aborted",
        Code::OutOfRange => "grpc_out_of_range",
        Code::Unimplemented => "grpc_unimplemented",
        Code::Internal => "grpc_internal",
        Code::Unavailable => "grpc_unavailable",
        Code::DataLoss => "grpc_data_loss",
        Code::Unauthenticated => "grpc_unauthenticated",
    }
}

#[cfg(feature = "otlp-tls")]
fn tls(config: &OtlpConfig) -> tonic::transport::ClientTlsConfig {
    use tonic::transport::Certificate;
    use tonic::transport::ClientTlsConfig;
    use tonic::transport::Identity;
    let mut tls = ClientTlsConfig::new();
    tls = match &config.tls.certificate {
        // A certificate that was given replaces the public roots: it says whom to trust.
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

/// Bytes in, bytes out.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
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

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}
