//! The `/metrics` listener: HTTP/1.1, one request per connection, bounded in time and memory.

use crate::config::Config;
use crate::export::diagnostics::{Diagnostics, write_line};
use crate::export::metrics::families::render_page;
use crate::export::metrics::host::MetricsHosts;
use crate::export::metrics::observers::{BUDGET, BUDGET_AT_SHUTDOWN, Observers};
use crate::export::metrics::scrapes::{LastScrape, Scrapes};
use crate::export::metrics::self_metrics::warn_overflow;
use crate::export::metrics::{ManualMetricReader, warn_failed_collection};
use crate::export::runtime::{ExportPhase, spawn_blocking};
use crate::metrics::UnitMetrics;
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
use std::convert::Infallible;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
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
    pub(crate) reader: ManualMetricReader,
    /// The units that are rendered from their own counts. `None`: the SDK's.
    pub(crate) units: Option<Arc<UnitMetrics>>,
    pub(crate) observers: Arc<Observers>,
    pub(crate) deny: DenyList,
    pub(crate) diagnostics: Arc<Diagnostics>,
    /// Set if this handler logs overflow warnings. Else the periodic push does.
    pub(crate) warns_of_overflow: bool,
    pub(crate) scrapes: Scrapes,
    pub(crate) phase: watch::Receiver<ExportPhase>,
    pub(crate) hosts: MetricsHosts,
    /// The last page. Its lock limits the renderings to one at a time.
    pub(crate) cache: Mutex<Option<(Instant, Bytes)>>,
}

impl MetricsHandler {
    /// Returns the page, or `None` if the metrics cannot be collected.
    async fn page(self: &Arc<Self>) -> Option<Bytes> {
        let mut cache = self.cache.lock().await;
        if let Some((rendered_at, page)) = &*cache
            && rendered_at.elapsed() < CACHE_TTL
            && self.draining_since().is_none_or(|(since, _)| *rendered_at >= since)
        {
            return Some(page.clone());
        }
        let began = Instant::now();
        let budget = if self.draining_since().is_some() { BUDGET_AT_SHUTDOWN } else { BUDGET };
        self.observers.run_all(budget).await;
        let handler = Arc::clone(self);
        // On a blocking thread: a page of many series takes long.
        let rendered = timeout(MAX_CONNECTION_TIME, spawn_blocking(move || handler.render()));
        let page = match rendered.await {
            Ok(Ok(Ok(page))) => page,
            Ok(Ok(Err(error))) => {
                warn_failed_collection(&error, &self.diagnostics);
                return None;
            }
            Ok(Err(_)) | Err(_) => {
                warn_failed_collection("no page in time", &self.diagnostics);
                return None;
            }
        };
        *cache = Some((began, page.clone()));
        Some(page)
    }

    fn render(&self) -> Result<Bytes, String> {
        let metrics = match &self.units {
            Some(_) => UnitMetrics::left_out(|| self.reader.read())?,
            None => self.reader.read()?,
        };
        let units = self.units.as_ref().map(|units| units.snapshot());
        let page = render_page(&metrics, units.as_ref(), &self.deny)?;
        if self.warns_of_overflow {
            warn_overflow(&page.overflowed, &self.diagnostics);
        }
        for (name, conflict) in &page.conflicts {
            self.diagnostics.log_once(&format!("conflict {name}"), conflict);
        }
        if page.text.is_empty() {
            return Err("there is not even the resource".to_owned());
        }
        Ok(Bytes::from(page.text))
    }

    /// Returns the begin and the deadline of the shutdown. `None` while running.
    fn draining_since(&self) -> Option<(Instant, Instant)> {
        match *self.phase.borrow() {
            ExportPhase::Running => None,
            ExportPhase::Draining { since, deadline } => Some((since, deadline)),
        }
    }

    /// Waits for the shutdown, and then for a last scrape that is due before its deadline: the
    /// metrics since the last one would be lost.
    pub(crate) async fn linger(self: Arc<Self>) {
        let mut phase = self.phase.clone();
        let is_draining = |phase: &ExportPhase| *phase != ExportPhase::Running;
        if phase.wait_for(is_draining).await.is_err() {
            return;
        }
        let Some((since, deadline)) = self.draining_since() else { return };
        let last = self.scrapes.wait_for_last(since, deadline).await;
        let LastScrape::NotDue(interval) = last else { return };
        self.diagnostics.log(&format!(
            "the metrics since the last scrape of /metrics are lost: the scraper comes every \
             {:.1} s, and not within the {:.1} s of the shutdown; set HUB_OTEL_SHUTDOWN_TIMEOUT \
             to more than its interval",
            interval.as_secs_f64(),
            (deadline - since).as_secs_f64()
        ));
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
            let began = Instant::now();
            let has_page = Arc::new(AtomicBool::new(false));
            let service = {
                let (handler, has_page) = (Arc::clone(&handler), Arc::clone(&has_page));
                service_fn(move |request| {
                    handle(request, Arc::clone(&handler), Arc::clone(&has_page))
                })
            };
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(MAX_HEADER_TIME)
                .max_buf_size(MAX_HEADER_BYTES)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let ended = timeout(MAX_CONNECTION_TIME, connection).await;
            if matches!(ended, Ok(Ok(()))) && has_page.load(Relaxed) {
                handler.scrapes.complete(began);
            }
            drop(slot);
        });
    }
}

/// Handles one request.
async fn handle(
    request: Request<Incoming>,
    handler: Arc<MetricsHandler>,
    has_page: Arc<AtomicBool>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let plain = |status: StatusCode, text: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response
    };
    if !handler.hosts.permits(&request) {
        let text = "the host of this request is not permitted; set HUB_OTEL_METRICS_HOSTS\n";
        return Ok(plain(StatusCode::FORBIDDEN, text));
    }
    if request.uri().path() != "/metrics" {
        return Ok(plain(StatusCode::NOT_FOUND, "the metrics are at /metrics\n"));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(plain(StatusCode::METHOD_NOT_ALLOWED, "GET /metrics\n"));
    }
    let Some(body) = handler.page().await else {
        return Ok(plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the metrics cannot be collected, see the program's standard error\n",
        ));
    };
    has_page.store(request.method() == Method::GET, Relaxed);
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_sdk::metrics::Temporality;
    use std::io::{Read, Write};

    #[tokio::test]
    async fn a_failed_collection_is_503() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a socket option");
        let address = listener.local_addr().expect("bound");
        let (_phase, phase) = watch::channel(ExportPhase::Running);
        let diagnostics = Arc::<Diagnostics>::default();
        let handler = Arc::new(MetricsHandler {
            // Not registered with a provider: every collection fails.
            reader: ManualMetricReader::new(Temporality::Cumulative),
            units: None,
            observers: Observers::new(Arc::clone(&diagnostics)),
            deny: DenyList::default(),
            diagnostics,
            warns_of_overflow: true,
            scrapes: Scrapes::default(),
            phase: phase.clone(),
            hosts: MetricsHosts::new(None, None),
            cache: Mutex::default(),
        });
        let server = tokio::spawn(serve(listener, handler, phase));
        let request = move || {
            let mut stream = std::net::TcpStream::connect(address).expect("a connection");
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
            let mut response = String::new();
            stream.read_to_string(&mut response).expect("a response");
            response
        };
        let response = tokio::task::spawn_blocking(request).await.expect("no panic");
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
        server.abort();
    }
}
