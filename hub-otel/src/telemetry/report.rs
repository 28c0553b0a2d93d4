//! What was delivered, what was lost: the answer of `shutdown`.

use crate::config::Signal;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What became of everything that this instance was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Spans.
    pub traces: SignalReport,
    /// Points of pushed metrics. Metrics that are pulled are not sent, so they do not count.
    pub metrics: SignalReport,
    /// Log records.
    pub logs: SignalReport,
    /// How long the shutdown or the flush took.
    pub elapsed: Duration,
}

/// What became of the items of one signal. `ended = ok + rejected + failed + dropped + pending`, always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignalReport {
    /// Items that ended and were sampled.
    pub ended: u64,
    /// Items that the Collector took.
    pub ok: u64,
    /// Items that it refused in a partial success.
    pub rejected: u64,
    /// Items that were sent, failed, and may not be sent again.
    pub failed: u64,
    /// The failed ones by reason: `http_400`, `grpc_invalid_argument`, `panic`, …
    pub failures: BTreeMap<String, u64>,
    /// Items that were given up, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Items that are waiting or on their way. After a shutdown: none.
    pub pending: u64,
}

impl SignalReport {
    /// How many items were dropped, for whatever reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// How many items did not arrive: rejected, failed and dropped.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.rejected + self.failed + self.dropped_total()
    }
}

impl Report {
    /// The part of one signal.
    #[must_use]
    pub fn signal(&self, signal: Signal) -> &SignalReport {
        match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
            Signal::Logs => &self.logs,
        }
    }

    /// How many items did not arrive, over all signals.
    #[must_use]
    pub fn lost(&self) -> u64 {
        Signal::ALL.iter().map(|signal| self.signal(*signal).lost()).sum()
    }

    /// Whether everything arrived and nothing is waiting.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost() == 0 && Signal::ALL.iter().all(|signal| self.signal(*signal).pending == 0)
    }
}

impl fmt::Display for SignalReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended, {} ok", self.ended, self.ok)?;
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
        write!(f, "traces: {}; metrics: {}; logs: {}", self.traces, self.metrics, self.logs)
    }
}
