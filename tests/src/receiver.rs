//! An OTLP receiver in this process that keeps each decoded request and injects scripted faults.
//!
//! One port accepts gRPC, HTTP/protobuf and HTTP/JSON, with gzip or zstd, optionally with TLS. The
//! *stored* items are those that a Collector would pass on: a rejected request is kept in
//! [`Receiver::requests`], but not in [`Receiver::spans`], `logs` and `metrics`.
//!
//! ```
//! use hub_otel_tests::receiver::{Behaviour, Receiver, Signal};
//!
//! let receiver = Receiver::start();
//! // Two requests are rejected, the following ones accepted.
//! receiver.script(Signal::Traces, [Behaviour::status(503), Behaviour::status(503)]);
//! assert!(receiver.endpoint().starts_with("http://127.0.0.1:"));
//! assert!(receiver.spans().is_empty());
//! ```

mod account;
mod behaviour;
mod kit;
mod listen;
mod record;
mod reply;
mod serve;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use behaviour::Behaviour;
pub use kit::hex;
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

/// A running receiver. Stopped when dropped.
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

/// State shared by the connections.
#[derive(Debug)]
struct Inner {
    script: Mutex<Script>,
    store: Mutex<Store>,
    connections: Connections,
    tls: Mutex<Option<Arc<tokio_rustls::rustls::ServerConfig>>>,
    versions: Versions,
}

/// The versions of HTTP that a receiver has on its port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1 and HTTP/2.
    #[default]
    Both,
    /// HTTP/1.1, as a Collector has on 4318.
    Http1,
    /// HTTP/2 without an upgrade, as a Collector has on 4317.
    Http2,
}

impl Receiver {
    /// Starts a receiver on a free port.
    ///
    /// # Panics
    /// If the system has no free port.
    pub fn start() -> Self {
        Self::build(None, Store::default(), Versions::Both)
    }

    /// Starts a receiver with these versions of HTTP only.
    ///
    /// # Panics
    /// If the system has no free port.
    pub fn of(versions: Versions) -> Self {
        Self::build(None, Store::default(), versions)
    }

    /// Starts a receiver that keeps counts and span ids, not the requests. For millions of items.
    ///
    /// # Panics
    /// If the system has no free port.
    pub fn counting() -> Self {
        Self::build(None, Store::counting(), Versions::Both)
    }

    /// Starts a receiver with TLS and the server certificate of `certificates`. `mutual` requires
    /// a client certificate.
    ///
    /// # Panics
    /// If the system has no free port.
    pub fn tls(certificates: &Certificates, mutual: bool) -> Self {
        let tls = Some(certificates.server_config(mutual));
        Self::build(tls, Store::default(), Versions::Both)
    }

    /// Replaces the certificates of a receiver with TLS and resets each open connection.
    pub fn rotate(&self, certificates: &Certificates, mutual: bool) {
        *lock(&self.inner.tls) = Some(certificates.server_config(mutual));
        self.reset_connections();
    }

    fn build(
        tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
        store: Store,
        versions: Versions,
    ) -> Self {
        let closed = Closed::new();
        let address = SocketAddr::from(([127, 0, 0, 1], closed.port()));
        let is_tls = tls.is_some();
        let inner = Arc::new(Inner {
            script: Mutex::default(),
            store: Mutex::new(store),
            connections: Connections::default(),
            tls: Mutex::new(tls),
            versions,
        });
        let receiver =
            Self { address, tls: is_tls, inner, state: Mutex::new(State::Closed(Some(closed))) };
        receiver.resume();
        receiver
    }

    /// Returns the URL: `http://127.0.0.1:<port>`, or `https://localhost:<port>` with TLS.
    pub fn endpoint(&self) -> String {
        if self.tls {
            format!("https://localhost:{}", self.port())
        } else {
            format!("http://127.0.0.1:{}", self.port())
        }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts an outage: resets all connections and refuses new ones until
    /// [`resume`](Self::resume).
    ///
    /// # Panics
    /// If another program takes the port.
    pub fn stop(&self) {
        let mut state = lock(&self.state);
        *state = State::Closed(None);
        self.inner.connections.reset_all();
        // An aborted task ends asynchronously.
        let closed =
            crate::poll::until(std::time::Duration::from_secs(5), || Closed::at(self.address).ok());
        *state = State::Closed(Some(closed));
    }

    /// Listens again on the same port.
    ///
    /// # Panics
    /// If it is listening.
    pub fn resume(&self) {
        let mut state = lock(&self.state);
        let State::Closed(closed) = &mut *state else { panic!("the receiver listens already") };
        let listener = closed.take().expect("held since the stop").listen().expect("a listener");
        *state =
            State::Listening { _task: Task::spawn(listen::accept(listener, self.inner.clone())) };
    }

    /// Resets each open connection.
    pub fn reset_connections(&self) {
        self.inner.connections.reset_all();
    }

    /// Sets the behaviours of the next requests of `signal`, one each. Later requests follow
    /// [`always`](Self::always).
    pub fn script(&self, signal: Signal, behaviours: impl IntoIterator<Item = Behaviour>) {
        lock(&self.inner.script).push(signal, behaviours);
    }

    /// Sets the behaviour of requests without a script. Default: [`Behaviour::Accept`].
    pub fn always(&self, behaviour: Behaviour) {
        self.decide(move |_| behaviour.clone());
    }

    /// Like [`always`](Self::always), with a function of the request.
    pub fn decide(&self, decide: impl FnMut(&Request) -> Behaviour + Send + 'static) {
        lock(&self.inner.script).decide(decide);
    }

    /// Returns all complete requests, stored or not, in the order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.inner.store).requests.clone()
    }

    /// Returns the number of complete requests of `signal`, stored or not.
    pub fn attempts(&self, signal: Signal) -> usize {
        lock(&self.inner.store).attempts(signal)
    }

    /// Returns the number of stored items (spans, log records, metric points) of `signal`,
    /// including duplicates.
    pub fn stored(&self, signal: Signal) -> u64 {
        lock(&self.inner.store).stored(signal)
    }

    /// Returns the number of distinct span ids stored, also of a [`counting`](Self::counting)
    /// receiver.
    pub fn distinct_spans(&self) -> usize {
        lock(&self.inner.store).distinct_spans()
    }

    /// Returns the stored spans.
    pub fn spans(&self) -> Vec<Item<Span>> {
        lock(&self.inner.store).spans()
    }

    /// Returns the stored spans, without duplicates, as spans of the test kit, which renders them.
    pub fn kit_spans(&self) -> hub_otel::testing::Spans {
        kit::kit_spans(&self.spans())
    }

    /// Returns the stored log records.
    pub fn logs(&self) -> Vec<Item<LogRecord>> {
        lock(&self.inner.store).logs()
    }

    /// Returns the stored metrics, one item per metric and request.
    pub fn metrics(&self) -> Vec<Item<Metric>> {
        lock(&self.inner.store).metrics()
    }

    /// Returns the latest value of a sum or gauge, added over its label sets. 0 if there is none.
    pub fn latest_sum(&self, metric: &str) -> f64 {
        record::latest_sum(&self.metrics(), metric)
    }

    /// Compares the stored ids (span names, log bodies) with the expected ones.
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

    /// Removes all received requests.
    pub fn clear(&self) {
        lock(&self.inner.store).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}
