//! An OTLP receiver in this process: keeps every request as it was decoded, and misbehaves as it is
//! told.
//!
//! One port speaks gRPC, HTTP/protobuf and HTTP/JSON, with gzip or zstd, with TLS where asked. What
//! it *stores* is what a Collector would have passed on: a request that it refuses is kept in
//! [`Receiver::requests`], not in [`Receiver::spans`] and the like.
//!
//! ```
//! use hub_otel_tests::receiver::{Behaviour, Receiver, Signal};
//!
//! let receiver = Receiver::start();
//! receiver.script(Signal::Traces, [Behaviour::status(503), Behaviour::status(503)]); // then it accepts
//! assert!(receiver.endpoint().starts_with("http://127.0.0.1:"));
//! assert!(receiver.spans().is_empty());
//! ```

mod account;
mod behaviour;
mod listen;
mod record;
mod reply;
mod serve;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use behaviour::Behaviour;
pub use record::{Item, Payload, Protocol, Request, Signal, int, text};
pub use tonic::Code;

use crate::certificates::Certificates;
use crate::ports::Closed;
use crate::runtime::Task;
use behaviour::Script;
use listen::Connections;
use opentelemetry_proto::tonic::{logs::v1::LogRecord, metrics::v1::Metric, trace::v1::Span};
use record::Store;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

/// A running receiver; it ends when dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    tls: bool,
    inner: Arc<Inner>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Listening { _task: Task },
    Closed(Option<Closed>),
}

/// What the connections share.
#[derive(Debug)]
struct Inner {
    script: Mutex<Script>,
    store: Mutex<Store>,
    connections: Connections,
    tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
}

impl Receiver {
    /// Starts one on a port of the system's choice.
    ///
    /// # Panics
    /// When the system has no port left.
    pub fn start() -> Self {
        Self::build(None, Store::default())
    }

    /// One that keeps counts and span ids, not the requests: for millions of items.
    ///
    /// # Panics
    /// When the system has no port left.
    pub fn counting() -> Self {
        Self::build(None, Store::counting())
    }

    /// One that speaks TLS with the server's certificate of `certificates`; with `mutual`, it asks
    /// for a client's too.
    ///
    /// # Panics
    /// When the system has no port left.
    pub fn tls(certificates: &Certificates, mutual: bool) -> Self {
        Self::build(Some(certificates.server_config(mutual)), Store::default())
    }

    fn build(tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>, store: Store) -> Self {
        let closed = Closed::new();
        let address = SocketAddr::from(([127, 0, 0, 1], closed.port()));
        let is_tls = tls.is_some();
        let inner = Arc::new(Inner {
            script: Mutex::default(),
            store: Mutex::new(store),
            connections: Connections::default(),
            tls,
        });
        let receiver =
            Self { address, tls: is_tls, inner, state: Mutex::new(State::Closed(Some(closed))) };
        receiver.resume();
        receiver
    }

    /// Where it listens: `http://127.0.0.1:<port>`, or `https://localhost:<port>` with TLS.
    pub fn endpoint(&self) -> String {
        if self.tls {
            format!("https://localhost:{}", self.port())
        } else {
            format!("http://127.0.0.1:{}", self.port())
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An outage: resets all connections and refuses new ones, until [`resume`](Self::resume).
    ///
    /// # Panics
    /// When another program takes the port meanwhile.
    pub fn stop(&self) {
        let mut state = lock(&self.state);
        *state = State::Closed(None);
        self.inner.connections.reset_all();
        // The task ends a moment after it was told to.
        let closed =
            crate::poll::until(std::time::Duration::from_secs(5), || Closed::at(self.address).ok());
        *state = State::Closed(Some(closed));
    }

    /// Listens again, on the same port.
    ///
    /// # Panics
    /// When it listens already.
    pub fn resume(&self) {
        let mut state = lock(&self.state);
        let State::Closed(closed) = &mut *state else { panic!("the receiver listens already") };
        let listener = closed.take().expect("held since the stop").listen().expect("a listener");
        *state =
            State::Listening { _task: Task::spawn(listen::accept(listener, self.inner.clone())) };
    }

    /// Resets every connection that is open now.
    pub fn reset_connections(&self) {
        self.inner.connections.reset_all();
    }

    /// What the next requests of `signal` meet, one each; those after follow
    /// [`always`](Self::always).
    pub fn script(&self, signal: Signal, behaviours: impl IntoIterator<Item = Behaviour>) {
        lock(&self.inner.script).push(signal, behaviours);
    }

    /// What every request meets that no script takes; at first [`Behaviour::Accept`].
    pub fn always(&self, behaviour: Behaviour) {
        self.decide(move |_| behaviour.clone());
    }

    /// As [`always`](Self::always), by a function of the request.
    pub fn decide(&self, decide: impl FnMut(&Request) -> Behaviour + Send + 'static) {
        lock(&self.inner.script).decide(decide);
    }

    /// Every request that was read to its end, stored or not, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.inner.store).requests.clone()
    }

    /// How many requests of `signal` were read to their end, stored or not.
    pub fn attempts(&self, signal: Signal) -> usize {
        lock(&self.inner.store).attempts(signal)
    }

    /// How many items (spans, log records, metric points) of `signal` were stored, duplicates
    /// included.
    pub fn stored(&self, signal: Signal) -> u64 {
        lock(&self.inner.store).stored(signal)
    }

    /// How many different span ids were stored; what a [`counting`](Self::counting) receiver knows.
    pub fn distinct_spans(&self) -> usize {
        lock(&self.inner.store).distinct_spans()
    }

    /// The spans that were stored.
    pub fn spans(&self) -> Vec<Item<Span>> {
        lock(&self.inner.store).spans()
    }

    /// The log records that were stored.
    pub fn logs(&self) -> Vec<Item<LogRecord>> {
        lock(&self.inner.store).logs()
    }

    /// The metrics that were stored, one item per metric and request.
    pub fn metrics(&self) -> Vec<Item<Metric>> {
        lock(&self.inner.store).metrics()
    }

    /// The newest value of a sum or gauge, added over its label sets; 0 when there is none.
    pub fn latest_sum(&self, metric: &str) -> f64 {
        record::latest_sum(&self.metrics(), metric)
    }

    /// Compares what was stored with the ids that were sent: a span's name, a log record's body.
    pub fn account<I: Into<String>>(
        &self,
        signal: Signal,
        expected: impl IntoIterator<Item = I>,
    ) -> Account {
        let found = match signal {
            Signal::Traces => self.spans().into_iter().map(|item| item.item.name).collect(),
            Signal::Logs => self
                .logs()
                .into_iter()
                .map(|item| record::body(&item.item).unwrap_or_default())
                .collect(),
            Signal::Metrics => Vec::new(),
        };
        Account::of(expected.into_iter().map(Into::into).collect(), found)
    }

    /// Forgets what was received so far.
    pub fn clear(&self) {
        lock(&self.inner.store).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
