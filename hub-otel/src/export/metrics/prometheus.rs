//! `/metrics` on a listener of its own: HTTP/1.1, one request a connection, everything about it bounded.

use crate::config::Config;
use crate::export::diagnostics as voice;
use crate::export::diagnostics::Voice;
use crate::export::metrics::{families, overflow};
use crate::export::retry::Phase;
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
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio::time::timeout;

/// Connections at once: more than a flood of slow readers is likely to open, few enough for memory.
const CONNECTIONS: usize = 256;
/// How long one connection may take, head, rendering and reading included.
const LONGEST: Duration = Duration::from_secs(10);
/// How long its head may take.
const LONGEST_HEAD: Duration = Duration::from_secs(5);
/// The largest head: more is answered 431.
const LARGEST_HEAD: usize = 16 * 1024;
/// Scrapes that come closer together than this get the same text.
const FRESH: Duration = Duration::from_millis(200);

/// Opens the listener.
///
/// # Errors
/// When the user chose the port and it is taken. A taken default port is one warning: the program runs on.
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
    voice::say(&format!(
        "metrics are not served: port {port} of {host} is taken ({}); set OTEL_EXPORTER_PROMETHEUS_PORT to another one, 0 for any",
        failure.1
    ));
    Ok(None)
}

/// What a scrape shows.
pub(crate) struct Page {
    registry: Registry,
    deny: DenyList,
    /// Tells of instruments that overflow; `None` where the push does.
    voice: Option<Arc<Voice>>,
    /// One rendering at a time, and its text for whoever asked meanwhile.
    rendered: Mutex<Option<(Instant, Bytes)>>,
}

impl Page {
    pub(crate) fn new(registry: Registry, deny: DenyList, voice: Option<Arc<Voice>>) -> Arc<Self> {
        Arc::new(Self { registry, deny, voice, rendered: Mutex::new(None) })
    }

    async fn text(self: &Arc<Self>) -> Option<Bytes> {
        let mut rendered = self.rendered.lock().await;
        if let Some((at, text)) = &*rendered
            && at.elapsed() < FRESH
        {
            return Some(text.clone());
        }
        let page = Arc::clone(self);
        // Beside the export thread: rendering takes as long as the slowest callback of the user's.
        let text = timeout(LONGEST, spawn_blocking(move || page.render())).await.ok()?.ok()??;
        *rendered = Some((Instant::now(), text.clone()));
        Some(text)
    }

    fn render(&self) -> Option<Bytes> {
        let (families, overflowed) = families::correct(self.registry.gather(), &self.deny);
        if let Some(voice) = &self.voice {
            overflow::warn(&overflowed, voice);
        }
        TextEncoder::new().encode_to_string(&families).ok().map(Bytes::from)
    }
}

/// Serves until shutdown.
pub(crate) async fn serve(
    listener: TcpListener,
    page: Arc<Page>,
    mut phase: watch::Receiver<Phase>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            changed = phase.changed() => {
                if changed.is_err() { return }
                continue;
            }
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors: wait for some instead of spinning.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Over the limit: closed at once, so that the one that is accepted next may be Prometheus.
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let page = Arc::clone(&page);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&page)));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(LONGEST_HEAD)
                .max_buf_size(LARGEST_HEAD)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            let _ = timeout(LONGEST, connection).await;
            drop(slot);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    page: Arc<Page>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = |status: StatusCode, text: &'static str| {
        let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != "/metrics" {
        return Ok(text(StatusCode::NOT_FOUND, "the metrics are at /metrics\n"));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "GET /metrics\n"));
    }
    let Some(body) = page.text().await else {
        return Ok(text(
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
