//! A program under test: a telemetry instance that emits items with unique ids.

#![expect(
    clippy::disallowed_methods,
    reason = "an application: it starts spans and builds instruments"
)]

use crate::receiver::{Account, Receiver, Signal};
use hub_otel::{InitError, Report, Telemetry};
use opentelemetry::{KeyValue, metrics::Counter, trace::Tracer as _};
use std::time::{Duration, Instant};
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt as _;

/// OTLP transport of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
    /// OTLP/HTTP with JSON.
    Json,
}

impl Transport {
    /// The transports that differ in more than the encoding.
    pub const BOTH: [Self; 2] = [Self::Grpc, Self::Http];
    /// All transports.
    pub const ALL: [Self; 3] = [Self::Grpc, Self::Http, Self::Json];

    /// Returns the value of OTEL_EXPORTER_OTLP_PROTOCOL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
            Self::Json => "http/json",
        }
    }
}

/// Name of the counter that [`Program::emit`] increments.
pub const COUNTER: &str = "test.items";

/// A telemetry instance with its tracer, counter and subscriber, and the number of items sent.
#[derive(Debug)]
pub struct Program {
    telemetry: Telemetry,
    tracer: opentelemetry_sdk::trace::SdkTracer,
    counter: Counter<u64>,
    dispatch: Dispatch,
    sent: u64,
}

/// Result of the shutdown of a [`Program`].
#[derive(Debug)]
pub struct Stopped {
    /// Final delivery counts.
    pub report: Report,
    /// Duration of the shutdown.
    pub took: Duration,
    /// Number of spans sent, equal to the number of log records.
    pub sent: u64,
}

/// Default settings: all signals by OTLP to `endpoint`, metrics every 200 ms.
pub fn settings(endpoint: &str, transport: Transport) -> Vec<(String, String)> {
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", transport.as_str()),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "100"),
        ("OTEL_SERVICE_NAME", "under-test"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

impl Program {
    /// Starts a program that exports to `endpoint`.
    ///
    /// # Panics
    /// If a setting is invalid.
    #[track_caller]
    pub fn start(endpoint: &str, transport: Transport) -> Self {
        Self::with(endpoint, transport, &[])
    }

    /// Starts a program with the additional environment variables `more`.
    ///
    /// # Panics
    /// If a setting is invalid.
    #[track_caller]
    pub fn with(endpoint: &str, transport: Transport, more: &[(&str, &str)]) -> Self {
        Self::try_with(endpoint, transport, more).expect("valid settings")
    }

    /// Like [`with`](Self::with), but returns the error.
    ///
    /// # Errors
    /// If a setting is invalid.
    pub fn try_with(
        endpoint: &str,
        transport: Transport,
        more: &[(&str, &str)],
    ) -> Result<Self, InitError> {
        Self::build(hub_otel::Telemetry::builder(), endpoint, transport, more)
    }

    /// Like [`try_with`](Self::try_with), with a prepared builder.
    ///
    /// # Errors
    /// If a setting is invalid.
    pub fn build(
        builder: hub_otel::TelemetryBuilder,
        endpoint: &str,
        transport: Transport,
        more: &[(&str, &str)],
    ) -> Result<Self, InitError> {
        let mut environment = settings(endpoint, transport);
        environment
            .extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Ok(Self::around(builder.env_source(environment).build()?))
    }

    /// Creates a program around an existing instance.
    pub fn around(telemetry: Telemetry) -> Self {
        use opentelemetry::{metrics::MeterProvider as _, trace::TracerProvider as _};
        let tracer = hub_otel::otel::tracer_provider(&telemetry).tracer("test");
        let counter =
            hub_otel::otel::meter_provider(&telemetry).meter("test").u64_counter(COUNTER).build();
        let dispatch = Dispatch::new(
            tracing_subscriber::registry().with(hub_otel::otel::tracing_layer(&telemetry)),
        );
        Self { telemetry, tracer, counter, dispatch, sent: 0 }
    }

    /// Returns the telemetry instance.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Returns the tracer.
    pub fn tracer(&self) -> &opentelemetry_sdk::trace::SdkTracer {
        &self.tracer
    }

    /// Runs `work` with the program's `tracing` subscriber.
    pub fn with_logs<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    /// Emits `count` spans and as many log records, and adds `count` to the counter.
    pub fn emit(&mut self, count: u64) {
        tracing::dispatcher::with_default(&self.dispatch, || {
            for number in self.sent..self.sent + count {
                let id = id(number);
                drop(self.tracer.start(id.clone()));
                tracing::info!("{id}");
                self.counter.add(1, &[]);
            }
        });
        self.sent += count;
    }

    /// Emits at the rate `per_second` for `time`.
    pub fn emit_steadily(&mut self, per_second: u64, time: Duration) {
        let (start, before) = (Instant::now(), self.sent);
        while start.elapsed() < time {
            let due = (start.elapsed().as_secs_f64() * per_second as f64) as u64;
            let behind = due.saturating_sub(self.sent - before);
            self.emit(behind);
            // Paces the load: nothing is awaited.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Adds to the counter with `labels`.
    pub fn add(&self, amount: u64, labels: &[KeyValue]) {
        self.counter.add(amount, labels);
    }

    /// Returns the number of spans sent, equal to the number of log records.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Returns the current delivery counts.
    pub fn report(&self) -> Report {
        self.telemetry.report()
    }

    /// Shuts down, blocking the thread.
    pub fn stop(self) -> Stopped {
        let Self { telemetry, sent, .. } = self;
        let start = Instant::now();
        let report = telemetry.shutdown_blocking();
        Stopped { report, took: start.elapsed(), sent }
    }

    /// Shuts down without blocking the thread.
    pub async fn stop_async(self) -> Stopped {
        let Self { telemetry, sent, .. } = self;
        let start = Instant::now();
        let report = telemetry.shutdown().await;
        Stopped { report, took: start.elapsed(), sent }
    }
}

/// Returns the id of an item.
pub fn id(number: u64) -> String {
    format!("item-{number:07}")
}

impl Stopped {
    /// Compares the items of `signal` that `receiver` stored with the items sent.
    pub fn account(&self, receiver: &Receiver, signal: Signal) -> Account {
        receiver.account(signal, (0..self.sent).map(id))
    }

    /// Asserts that the delivery counts add up and that no item is pending.
    ///
    /// # Panics
    /// If they do not add up.
    #[track_caller]
    pub fn assert_balanced(&self) {
        assert_balanced(&self.report, self.sent);
        let pending =
            self.report.traces.pending + self.report.metrics.pending + self.report.logs.pending;
        assert_eq!(pending, 0, "{}", self.report);
    }

    /// Asserts that each item arrived exactly once and is counted as delivered.
    ///
    /// # Panics
    /// If an item is missing, duplicated or miscounted.
    #[track_caller]
    pub fn assert_delivered_once(&self, receiver: &Receiver) {
        self.assert_delivered(receiver);
        for signal in [Signal::Traces, Signal::Logs] {
            assert_eq!(
                self.account(receiver, signal),
                Account::default(),
                "{signal:?}: {}",
                self.report
            );
        }
    }

    /// Asserts that each item arrived at least once and is counted as delivered.
    ///
    /// # Panics
    /// If an item is missing or miscounted.
    #[track_caller]
    pub fn assert_delivered(&self, receiver: &Receiver) {
        self.assert_balanced();
        for signal in [Signal::Traces, Signal::Logs] {
            let account = self.account(receiver, signal);
            assert!(account.nothing_missing(), "{signal:?}: {account:?}\n{}", self.report);
        }
        assert_eq!(receiver.latest_sum(COUNTER), self.sent as f64, "{}", self.report);
        assert_eq!(self.report.lost(), 0, "{}", self.report);
        assert_eq!(self.report.traces.ok, self.sent, "{}", self.report);
        assert_eq!(self.report.logs.ok, self.sent, "{}", self.report);
    }
}

/// Asserts that the delivery counts of each signal add up, with `sent` spans and log records.
///
/// # Panics
/// If they do not add up.
#[track_caller]
pub fn assert_balanced(report: &Report, sent: u64) {
    for part in [&report.traces, &report.metrics, &report.logs] {
        let accounted = part.ok + part.rejected + part.failed + part.dropped_total() + part.pending;
        assert_eq!(part.finished, accounted, "{report}");
        assert_eq!(part.failed, part.failures.values().sum::<u64>(), "{report}");
    }
    assert_eq!(report.traces.finished, sent, "{report}");
    assert_eq!(report.logs.finished, sent, "{report}");
}
