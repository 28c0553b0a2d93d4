//! The `/metrics` listener: HTTP/1.1, one request per connection, bounded in time and memory.

use crate::config::Config;
use crate::export::diagnostics::{Diagnostics, write_line};
use crate::export::metrics::families::rewrite_families;
use crate::export::metrics::self_metrics::warn_overflow;
use crate::export::runtime::{ExportPhase, spawn_blocking};
use crate::telemetry::error::InitError;
use crate::telemetry::redaction::DenyList;
use bytes::Bytes;
use http_body_util::Full;
use http_types::Method;
use http_types::Request;
use http_types::Response;
use http_types::StatusCode;
use http_types::header;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use prometheus::Registry;
use prometheus::TextEncoder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::sync::Semaphore;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::timeout;

/// The limit of concurrent connections. Bounds the memory that slow clients can use.
const MAX_CONNECTIONS: usize = 256;
/// The time limit of a connection, from accept to the end of the response.
const MAX_CONNECTION_TIME: Duration = Duration::from_secs(10);
/// The time limit of the request headers.
const MAX_HEADER_TIME: Duration = Duration::from_secs(5);
/// The size limit of the request headers. A larger request gets status 431.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The lifetime of a rendered page. Scrapes within it get the same text.
const CACHE_TTL: Duration = Duration::from_millis(200);

/// Opens the listener. Returns `None` and logs a warning if the default port is taken.
///
/// # Errors
/// A configured address cannot be bound.
pub(crate) fn listen(config: &Config) -> Result<Option<TcpListener>, InitError> {
    let (host, port) = (config.prometheus_host.as_str(), *config.prometheus_port);
    let origin = if config.prometheus_port.is_default() && config.prometheus_host.origin.is_chosen()
    {
        &config.prometheus_host.origin
    } else {
        &config.prometheus_port.origin
    };
    let fallback = SocketAddr::from(([127, 0, 0, 1], port));
    let bound = (host, port).to_socket_addrs().map(|addresses| {
        let addresses: Vec<_> = addresses.collect();
        let address = addresses.first().copied().unwrap_or(fallback);
        TcpListener::bind(addresses.as_slice()).map_err(|error| (address, error))
    });
    let failure = match bound {
        Ok(Ok(listener)) => match listener.set_nonblocking(true) {
            Ok(()) => return Ok(Some(listener)),
            Err(error) => (fallback, error),
        },
        Ok(Err(failure)) => failure,
        Err(error) => (fallback, error),
    };
    if origin.is_chosen() {
        return Err(InitError::listener(origin.to_string(), failure.0, failure.1));
    }
    write_line(&format!(
        "metrics are not served: port {port} of {host} is taken ({}); set \
         OTEL_EXPORTER_PROMETHEUS_PORT to another one, 0 for any",
        failure.1
    ));
    Ok(None)
}

/// The handler of `/metrics`.
pub(crate) struct MetricsHandler {
    registry: Registry,
    deny: DenyList,
    /// Set if this handler logs overflow warnings. `None` if the periodic push does.
    diagnostics: Option<Arc<Diagnostics>>,
    /// The last page. Its lock limits the renderings to one at a time.
    cache: Mutex<Option<(Instant, Bytes)>>,
}

impl MetricsHandler {
    pub(crate) fn new(
        registry: Registry,
        deny: DenyList,
        diagnostics: Option<Arc<Diagnostics>>,
    ) -> Arc<Self> {
        Arc::new(Self { registry, deny, diagnostics, cache: Mutex::new(None) })
    }

    /// Returns the page, or `None` if a callback of the application does not return in time.
    async fn page(self: &Arc<Self>) -> Option<Bytes> {
        let mut cache = self.cache.lock().await;
        if let Some((rendered_at, page)) = &*cache
            && rendered_at.elapsed() < CACHE_TTL
        {
            return Some(page.clone());
        }
        let handler = Arc::clone(self);
        // On a blocking thread: the callbacks of the application may take any time.
        let page = timeout(MAX_CONNECTION_TIME, spawn_blocking(move || handler.render()))
            .await
            .ok()?
            .ok()??;
        *cache = Some((Instant::now(), page.clone()));
        Some(page)
    }

    fn render(&self) -> Option<Bytes> {
        let (families, overflowed) = rewrite_families(self.registry.gather(), &self.deny);
        if let Some(diagnostics) = &self.diagnostics {
            warn_overflow(&overflowed, diagnostics);
        }
        TextEncoder::new().encode_to_string(&families).ok().map(Bytes::from)
    }
}

/// Serves `/metrics` until the shutdown is complete.
pub(crate) async fn serve(
    listener: TcpListener,
    handler: Arc<MetricsHandler>,
    mut phase: watch::Receiver<ExportPhase>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = phase.changed() => {
                if changed.is_err() { return }
                continue;
            }
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors: retried after a pause.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Over the limit: the connection is closed without a response.
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let handler = Arc::clone(&handler);
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(request, Arc::clone(&handler)));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(MAX_HEADER_TIME)
                .max_buf_size(MAX_HEADER_BYTES)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let _ = timeout(MAX_CONNECTION_TIME, connection).await;
            drop(slot);
        });
    }
}

/// Handles one request.
async fn handle(
    request: Request<Incoming>,
    handler: Arc<MetricsHandler>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let plain = |status: StatusCode, text: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return Ok(plain(StatusCode::NOT_FOUND, "the metrics are at /metrics\n"));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "GET /metrics\n"));
    }
    let Some(body) = handler.page().await else {
        return Ok(plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "a callback of an instrument did not return\n",
        ));
    };
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    Ok(response)
}
