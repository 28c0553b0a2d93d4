//! The services: tonic for gRPC, axum for HTTP. Both follow the script of the receiver.

use super::behaviour::Behaviour;
use super::listen::Connection;
use super::record::{Payload, Protocol, Request};
use super::{Inner, lock, reply};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Extension, Router, middleware};
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        self as logs, logs_service_server::LogsService, logs_service_server::LogsServiceServer,
    },
    metrics::v1::{
        self as metrics, metrics_service_server::MetricsService,
        metrics_service_server::MetricsServiceServer,
    },
    trace::v1::{
        self as trace, trace_service_server::TraceService, trace_service_server::TraceServiceServer,
    },
};
use prost::Message;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::service::Routes;

/// Creates the service of one connection.
pub(super) fn router(inner: Arc<Inner>, connection: Connection) -> Router {
    let grpc = Grpc { inner: inner.clone(), connection: connection.clone() };
    macro_rules! service {
        ($server:ident) => {
            $server::new(grpc.clone())
                .accept_compressed(Gzip)
                .accept_compressed(Zstd)
                .max_decoding_message_size(usize::MAX)
        };
    }
    Routes::new(service!(TraceServiceServer))
        .add_service(service!(MetricsServiceServer))
        .add_service(service!(LogsServiceServer))
        .into_axum_router()
        .merge(Router::new().route("/v1/{signal}", post(http)).with_state(inner))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(middleware::map_response(reply::distort))
        .layer(Extension(connection))
}

/// Applies the script to a request and stores it. Returns the behaviour for the reply.
async fn receive(
    inner: &Inner,
    connection: &Connection,
    protocol: Protocol,
    headers: &HeaderMap,
    payload: Payload,
) -> Behaviour {
    let mut request = Request {
        signal: payload.signal(),
        protocol,
        headers: headers
            .iter()
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        connection: connection.number,
        at: Instant::now(),
        payload,
        stored: false,
    };
    let behaviour = lock(&inner.script).for_request(&request);
    request.stored = behaviour.stores();
    if let Behaviour::AcceptAfter(delay) = behaviour {
        // Simulates a slow server.
        tokio::time::sleep(delay).await;
    }
    lock(&inner.store).add(request, behaviour.rejected());
    match behaviour {
        Behaviour::Hang => std::future::pending().await,
        Behaviour::ResetBeforeReply => {
            connection.reset();
            std::future::pending().await
        }
        other => other,
    }
}

#[derive(Clone)]
struct Grpc {
    inner: Arc<Inner>,
    connection: Connection,
}

impl Grpc {
    async fn answer<T, R>(
        &self,
        request: tonic::Request<T>,
        wrap: impl FnOnce(T) -> Payload,
        reply: impl FnOnce(u64, String) -> R,
    ) -> Result<tonic::Response<R>, tonic::Status> {
        let (metadata, _, message) = request.into_parts();
        let headers = metadata.into_headers();
        let behaviour =
            receive(&self.inner, &self.connection, Protocol::Grpc, &headers, wrap(message)).await;
        let mut response = match behaviour {
            Behaviour::Grpc { code, retry_info } => return Err(reply::status(code, retry_info)),
            Behaviour::Partial { rejected, message } => {
                tonic::Response::new(reply(rejected, message.to_owned()))
            }
            other => {
                let mut response = tonic::Response::new(reply(0, String::new()));
                response.extensions_mut().insert(other);
                response
            }
        };
        // As grpc-go and therefore the Collector: the reply names the compression of the request.
        if let Some(encoding) = headers.get("grpc-encoding").and_then(|value| value.to_str().ok()) {
            let encoding = encoding.parse().expect("ASCII");
            response.metadata_mut().insert("grpc-encoding", encoding);
        }
        Ok(response)
    }
}

macro_rules! service {
    (
        $trait:ident,
        $module:ident,
        $payload:ident,
        $request:ident,
        $response:ident,
        $partial:ident,
        $rejected:ident
    ) => {
        #[tonic::async_trait]
        impl $trait for Grpc {
            async fn export(
                &self,
                request: tonic::Request<$module::$request>,
            ) -> Result<tonic::Response<$module::$response>, tonic::Status> {
                self.answer(request, Payload::$payload, |rejected, error_message| {
                    $module::$response {
                        partial_success: (rejected > 0).then(|| $module::$partial {
                            $rejected: rejected as i64,
                            error_message,
                        }),
                    }
                })
                .await
            }
        }
    };
}

service!(
    TraceService,
    trace,
    Traces,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    ExportTracePartialSuccess,
    rejected_spans
);
service!(
    MetricsService,
    metrics,
    Metrics,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    ExportMetricsPartialSuccess,
    rejected_data_points
);
service!(
    LogsService,
    logs,
    Logs,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
    ExportLogsPartialSuccess,
    rejected_log_records
);

async fn http(
    State(inner): State<Arc<Inner>>,
    Extension(connection): Extension<Connection>,
    Path(signal): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let json = header("content-type").starts_with("application/json");
    let payload = match decompress(header("content-encoding"), &body)
        .and_then(|body| decode(&signal, json, &body))
    {
        Ok(payload) => payload,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let signal = payload.signal();
    let protocol = if json { Protocol::HttpJson } else { Protocol::HttpProtobuf };
    match receive(&inner, &connection, protocol, &headers, payload).await {
        Behaviour::Grpc { .. } => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Behaviour::Partial { rejected, message } => reply::http(signal, json, rejected, message),
        other => {
            let mut response = reply::http(signal, json, 0, "");
            response.extensions_mut().insert(other);
            response
        }
    }
}

fn decompress(encoding: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut decompressed = Vec::new();
    match encoding {
        "" | "identity" => return Ok(body.to_vec()),
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut decompressed),
        "zstd" => {
            zstd::Decoder::new(body).and_then(|mut decoder| decoder.read_to_end(&mut decompressed))
        }
        other => return Err(format!("unknown content-encoding: {other}")),
    }
    .map_err(|error| error.to_string())?;
    Ok(decompressed)
}

fn decode(signal: &str, json: bool, body: &[u8]) -> Result<Payload, String> {
    fn message<T: Message + Default + serde::de::DeserializeOwned>(
        json: bool,
        body: &[u8],
    ) -> Result<T, String> {
        if json {
            serde_json::from_slice(body).map_err(|error| error.to_string())
        } else {
            T::decode(body).map_err(|error| error.to_string())
        }
    }
    match signal {
        "traces" => message(json, body).map(Payload::Traces),
        "metrics" => message(json, body).map(Payload::Metrics),
        "logs" => message(json, body).map(Payload::Logs),
        other => Err(format!("unknown signal: {other}")),
    }
}

/// Delay between a reply and the reset of its connection.
pub(super) const AFTER_REPLY: Duration = Duration::from_millis(30);
