//! The listener, and the script behind it.

use crate::account::Account;
use crate::call::Call;
use crate::connection::{Connection, Reset};
use crate::handle::{Shared, handle};
use crate::reply::Reply;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// A running server. Dropping it closes its port and its connections.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts a server whose replies are computed from the call, on a free port of loopback.
    ///
    /// # Errors
    /// If no port can be opened.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(
        script: impl Fn(&Call) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(Box::new(script)));
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// Starts a server that sends these replies in their order, then status 500.
    ///
    /// # Errors
    /// If no port can be opened.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn replies(replies: impl IntoIterator<Item = Reply>) -> io::Result<Self> {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::start(move |call| {
            let next = replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let number = call.number;
            next.unwrap_or_else(|| Reply::status(500, format!("no reply left for call {number}")))
        })
        .await
    }

    /// Returns the base URL, as in `OPENAI_BASE_URL`: `http://127.0.0.1:PORT/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Returns the sums so far.
    pub fn account(&self) -> Account {
        self.shared.account()
    }

    /// Returns the calls so far, in their order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts until the task is aborted; the connections end with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        // The events of a stream are small writes, which a client must not wait for.
        let _unset = stream.set_nodelay(true);
        let reset = Reset::default();
        let connection = Connection { stream, reset: reset.clone() };
        let shared = Arc::clone(&shared);
        let service =
            service_fn(move |request| handle(Arc::clone(&shared), reset.clone(), request));
        connections.spawn(async move {
            // An error is the script's, or the client's that left.
            let _ended =
                http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
        });
    }
}
