//! The listener: one port for HTTP/1.1, HTTP/2 and TLS, whose connections can be reset one by one.

use super::{Inner, Versions, lock, serve};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Handle of a connection for its requests.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) number: u64,
    reset: Arc<Notify>,
}

impl Connection {
    /// Resets it: the client sees ECONNRESET.
    pub(super) fn reset(&self) {
        self.reset.notify_one();
    }
}

/// The connections that are open.
#[derive(Debug, Default)]
pub(super) struct Connections {
    counter: AtomicU64,
    open: Mutex<Vec<Weak<Notify>>>,
}

impl Connections {
    fn open(&self) -> Connection {
        let reset = Arc::new(Notify::new());
        let mut open = lock(&self.open);
        open.retain(|other| other.strong_count() > 0);
        open.push(Arc::downgrade(&reset));
        Connection { number: self.counter.fetch_add(1, Ordering::Relaxed), reset }
    }

    pub(super) fn reset_all(&self) {
        for reset in lock(&self.open).drain(..).filter_map(|open| open.upgrade()) {
            reset.notify_one();
        }
    }
}

/// Accepts connections until the task is aborted, which closes the open ones.
pub(super) async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    listener.set_nonblocking(true).expect("a socket option");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, inner.clone())); }
                // Out of file descriptors until other connections are closed. The sleep avoids a
                // busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, inner: Arc<Inner>) {
    let connection = inner.connections.open();
    let _best_effort = stream.set_nodelay(true);
    // A second handle on the socket, so that the linger option can be set when the connection is
    // dropped: without it the client gets a FIN instead of a reset.
    let Ok(stream) = stream.into_std() else { return };
    let Ok(handle) = stream.try_clone().map(socket2::Socket::from) else { return };
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let reset = connection.reset.clone();
    tokio::select! {
        () = accept_tls(stream, inner, connection) => {}
        () = reset.notified() => { let _best_effort = handle.set_linger(Some(Duration::ZERO)); }
    }
}

async fn accept_tls(stream: TcpStream, inner: Arc<Inner>, connection: Connection) {
    let tls = lock(&inner.tls).clone();
    match tls {
        None => serve_requests(stream, inner, connection).await,
        Some(config) => {
            if let Ok(stream) = tokio_rustls::TlsAcceptor::from(config).accept(stream).await {
                serve_requests(stream, inner, connection).await;
            }
        }
    }
}

async fn serve_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    inner: Arc<Inner>,
    connection: Connection,
) {
    let versions = inner.versions;
    let service = TowerToHyperService::new(serve::router(inner, connection));
    let builder = Builder::new(TokioExecutor::new());
    let builder = match versions {
        Versions::Both => builder,
        Versions::Http1 => builder.http1_only(),
        Versions::Http2 => builder.http2_only(),
    };
    // An error of the connection is not of interest, only its requests.
    let _ended = builder.serve_connection(TokioIo::new(stream), service).await;
}
