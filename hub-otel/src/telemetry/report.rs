//! The delivery report: items delivered, lost and pending, per signal.

use crate::config::signal::Signal;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Delivery counts of all signals of one [`Telemetry`](crate::Telemetry) instance.
///
/// Returned by `shutdown`, `flush` and [`Telemetry::report`](crate::Telemetry::report).
///
/// ```
/// # fn main() -> Result<(), hub_otel::InitError> {
/// # let telemetry = hub_otel::Telemetry::builder()
/// #     .env_source([("OTEL_METRICS_EXPORTER", "none")])
/// #     .build()?;
/// let report = telemetry.shutdown_blocking();
/// if !report.is_complete() {
///     eprintln!("{} items lost in {:?}: {report}", report.lost(), report.elapsed);
/// }
/// assert_eq!(report.traces.finished, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Spans.
    pub traces: SignalReport,
    /// Data points of pushed metrics. Scraped metrics are not counted.
    pub metrics: SignalReport,
    /// Log records.
    pub logs: SignalReport,
    /// Exporters that the application gave to the builder
    /// ([`otel::TelemetryBuilderExt`](crate::otel::TelemetryBuilderExt)). Not contained in the
    /// counts above, which are those of OTLP.
    pub exporters: Vec<ExporterReport>,
    /// Workflows and agents that were in progress at the shutdown, which ended them: CANCELLED, or
    /// suspended after [`suspend_on_drop`](crate::Current::suspend_on_drop). Their spans are
    /// among those of `traces`.
    pub ended_by_shutdown: u64,
    /// Duration of the shutdown or flush. Zero in a report taken while telemetry runs.
    pub elapsed: Duration,
}

/// Delivery counts of one exporter that the application gave to the builder.
///
/// An exporter returns one result per batch: its items are `ok` or `failed` together, and none is
/// `rejected`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExporterReport {
    /// The path of the exporter's type, with `#2` for the second one of a type.
    pub exporter: String,
    /// The exported signal.
    pub signal: Signal,
    /// Its counts.
    pub counts: SignalReport,
}

/// Delivery counts of one signal.
///
/// Invariant, at any time: `finished = ok + rejected + failed + dropped + pending`.
///
/// ```
/// # let report = hub_otel::Report::default();
/// let spans = &report.traces;
/// assert_eq!(
///     spans.finished,
///     spans.ok + spans.rejected + spans.failed + spans.dropped_total() + spans.pending,
/// );
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalReport {
    /// Finished items: ended spans that were sampled, emitted log records, metric data points.
    pub finished: u64,
    /// Items accepted by the Collector.
    pub ok: u64,
    /// Items rejected by the Collector in a partial success.
    pub rejected: u64,
    /// Items sent without success that must not be retried.
    pub failed: u64,
    /// The count of `failed` by reason: `http_400`, `grpc_invalid_argument`, `panic`, …
    pub failures: BTreeMap<String, u64>,
    /// Items dropped by this process, by reason: `queue_full`, `shutdown_deadline`, …
    pub dropped: BTreeMap<String, u64>,
    /// Items queued or in flight. Zero after a shutdown.
    pub pending: u64,
}

impl SignalReport {
    /// Returns the number of dropped items, over all reasons.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Returns the number of items that were not delivered: rejected, failed and dropped.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.rejected + self.failed + self.dropped_total()
    }
}

impl Report {
    /// Returns the counts of one signal.
    #[must_use]
    pub fn signal(&self, signal: Signal) -> &SignalReport {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    /// Returns the number of items that were not delivered, over all signals and exporters.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.all().map(SignalReport::lost).sum()
    }

    fn all(&self) -> impl Iterator<Item = &SignalReport> {
        let own = Signal::ALL.iter().map(|signal| self.signal(*signal));
        own.chain(self.exporters.iter().map(|exporter| &exporter.counts))
    }

    /// Returns whether every item was delivered and none is pending.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.all().all(|counts| counts.lost() == 0 && counts.pending == 0)
    }
}

impl fmt::Display for SignalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} finished, {} ok", self.finished, self.ok)?;
        if self.rejected > 0 {
            write!(f, ", {} rejected", self.rejected)?;
        }
        for (reason, count) in &self.failures {
            write!(f, ", {count} failed ({reason})")?;
        }
        for (reason, count) in &self.dropped {
            write!(f, ", {count} dropped ({reason})")?;
        }
        if self.pending > 0 {
            write!(f, ", {} pending", self.pending)?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "traces: {}; metrics: {}; logs: {}", self.traces, self.metrics, self.logs)?;
        for ExporterReport { exporter, signal, counts } in &self.exporters {
            write!(f, "; {signal} by {exporter}: {counts}")?;
        }
        match self.ended_by_shutdown {
            0 => Ok(()),
            1 => f.write_str("; 1 unit was in progress and was ended by the shutdown"),
            count => write!(f, "; {count} units were in progress and were ended by the shutdown"),
        }
    }
}
