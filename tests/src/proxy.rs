//! A TCP proxy between an exporter and a receiver that can stall, drop or reset connections.

use crate::ports::Closed;
use crate::runtime::Task;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};

/// Forwarding mode of a [`Proxy`]. A change also applies to open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Forwards both directions.
    Forward,
    /// Reads nothing and forwards nothing: the buffers of the sender fill.
    Stall,
    /// Reads and discards everything, returns nothing.
    Swallow,
    /// Forwards to the server and discards its replies: half open.
    Mute,
    /// Resets open and new connections.
    Reset,
}

/// A running proxy. Closed with its connections when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: Task,
}

#[derive(Debug)]
struct Shared {
    link: watch::Sender<Link>,
    reset: broadcast::Sender<()>,
    accepted: AtomicUsize,
    received: Mutex<Vec<u8>>,
}

impl Proxy {
    /// Starts a proxy to `upstream` in the mode [`Link::Forward`].
    ///
    /// # Panics
    /// If the system has no free port.
    pub fn start(upstream: SocketAddr) -> Self {
        let closed = Closed::new();
        let address = SocketAddr::from(([127, 0, 0, 1], closed.port()));
        let listener = closed.listen().expect("a listener");
        let shared = Arc::new(Shared {
            link: watch::Sender::new(Link::Forward),
            reset: broadcast::Sender::new(1),
            accepted: AtomicUsize::new(0),
            received: Mutex::default(),
        });
        let task = Task::spawn(accept(listener, upstream, shared.clone()));
        Self { address, shared, _task: task }
    }

    /// `http://127.0.0.1:<port>`
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the forwarding mode.
    pub fn set(&self, link: Link) {
        self.shared.link.send_replace(link);
    }

    /// Resets each open connection, towards client and server.
    pub fn reset_connections(&self) {
        // Fails if no connection is open.
        let _none = self.shared.reset.send(());
    }

    /// Returns the number of accepted connections.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Returns the first 64 KiB that clients sent.
    ///
    /// # Panics
    /// Never: the lock is not poisoned.
    pub fn received(&self) -> Vec<u8> {
        self.shared.received.lock().expect("not poisoned").clone()
    }
}

async fn accept(listener: std::net::TcpListener, upstream: SocketAddr, shared: Arc<Shared>) {
    listener.set_nonblocking(true).expect("a socket option");
    let listener = TcpListener::from_std(listener).expect("a listener");
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, upstream, shared.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(client: TcpStream, upstream: SocketAddr, shared: Arc<Shared>) {
    let (mut link, upwards, downwards) =
        (shared.link.subscribe(), shared.link.subscribe(), shared.link.subscribe());
    let mut reset = shared.reset.subscribe();
    let (mut from_client, mut to_client) = client.into_split();
    let server = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(upstream)).await;
    let (from_server, to_server) = match server {
        Ok(Ok(server)) => {
            let (read, write) = server.into_split();
            (Some(read), Some(write))
        }
        _ => (None, None),
    };
    let outcome = {
        let up = copy(&mut from_client, to_server, upwards, Direction::Up, &shared);
        let down = async {
            match from_server {
                Some(mut from_server) => {
                    copy(
                        &mut from_server,
                        Some(&mut to_client),
                        downwards,
                        Direction::Down,
                        &shared,
                    )
                    .await
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _closed = link.wait_for(|link| *link == Link::Reset) => Outcome::Reset,
            _request = reset.recv() => Outcome::Reset,
            () = up => Outcome::Closed,
            () = down => Outcome::Closed,
        }
    };
    if matches!(outcome, Outcome::Reset)
        && let Ok(client) = from_client.reunite(to_client)
    {
        let _best_effort = client.set_zero_linger();
    }
}

enum Outcome {
    Reset,
    Closed,
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Up,
    Down,
}

async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    mut to: Option<impl AsyncWriteExt + Unpin>,
    mut link: watch::Receiver<Link>,
    direction: Direction,
    shared: &Shared,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        // The proxy is gone: so is the connection.
        if link.wait_for(|link| *link != Link::Stall).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _changed = link.changed() => continue,
        };
        let Ok(length @ 1..) = read else { return };
        if direction == Direction::Up {
            let mut received = shared.received.lock().expect("not poisoned");
            let room = (64 * 1024_usize).saturating_sub(received.len());
            received.extend_from_slice(&buffer[..length.min(room)]);
        }
        // What was read just before a stall is forwarded after it: a stall loses nothing.
        let Ok(mode) = link.wait_for(|link| *link != Link::Stall).await.map(|link| *link) else {
            return;
        };
        let passes = match mode {
            Link::Forward => true,
            Link::Mute => direction == Direction::Up,
            Link::Stall | Link::Swallow | Link::Reset => false,
        };
        if passes
            && let Some(to) = &mut to
            && to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
}
