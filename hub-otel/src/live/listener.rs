//! The listener of the live view: HTTP/1.1, bounded in connections and time.

use super::body::LiveResponse;
use super::http::Abort;
use super::server::LiveServer;
use crate::config::Config;
use crate::config::live::LiveMode;
use crate::telemetry::error::InitError;
use http_types::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Limit of concurrent connections.
const MAX_CONNECTIONS: usize = 128;
/// Time limit of the request headers, and of an idle connection.
const MAX_HEADER_TIME: Duration = Duration::from_secs(30);
/// Size limit of the request headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Opens the listener, if one is configured.
///
/// # Errors
/// The address cannot be bound.
pub(crate) fn listen(config: &Config) -> Result<Option<TcpListener>, InitError> {
    let LiveMode::Listener(address) = *config.live.mode else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map(Some).map_err(|error| {
        InitError::live_listener(config.live.mode.origin.to_string(), address, error)
    })
}

/// Serves until the runtime stops.
pub(crate) async fn serve(listener: TcpListener, server: Arc<LiveServer>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: retried after a pause.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Over the limit: the connection is closed without a response.
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let abort = Arc::new(Notify::new());
            let service = {
                let abort = Abort(Arc::clone(&abort));
                service_fn(move |request| handle(request, Arc::clone(&server), abort.clone()))
            };
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(MAX_HEADER_TIME)
                .max_buf_size(MAX_HEADER_BYTES)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // Errors of a connection are the client's.
                _ = connection => {}
                () = abort.notified() => {}
            }
            drop(slot);
        });
    }
}

async fn handle(
    request: Request<Incoming>,
    server: Arc<LiveServer>,
    abort: Abort,
) -> Result<LiveResponse, Infallible> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(abort);
    Ok(server.respond(parts, body).await)
}
