//! Throughput and start latency, from the times of the rows.

use orchestrator::clock::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Figures of the runs of one test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latency {
    /// Runs per second from the first creation to the last end.
    pub(crate) runs_per_second: f64,
    /// Runs that had not started when the last one was created.
    queued: usize,
    /// Times from creation to start, ascending.
    starts: Vec<Duration>,
}

impl Latency {
    /// Computes the figures. `None` unless every run has started and ended.
    pub(crate) fn of(rows: &[Value]) -> Option<Self> {
        let times = |key: &str| -> Option<Vec<Timestamp>> {
            rows.iter().map(|row| Timestamp::parse(row[key].as_str()?)).collect()
        };
        let (created, started) = (times("createdAt")?, times("startedAt")?);
        let last_end = times("finishedAt")?.into_iter().max()?;
        let (first, last) = (*created.iter().min()?, *created.iter().max()?);
        let took = last_end.since(first).max(Duration::from_millis(1));
        let mut starts: Vec<Duration> = started
            .iter()
            .zip(&created)
            .map(|(started, created)| started.since(*created))
            .collect();
        starts.sort();
        Some(Self {
            runs_per_second: rows.len() as f64 / took.as_secs_f64(),
            queued: started.iter().filter(|started| **started > last).count(),
            starts,
        })
    }

    /// Returns a percentile of the start latency: the least time that `percent` of the runs do not
    /// exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.starts.len() * percent).div_ceil(100).max(1);
        self.starts.get(rank - 1).copied().unwrap_or_default()
    }

    /// Formats the percentiles as JSON.
    pub(crate) fn json(&self) -> Value {
        let of = |percent| u64::try_from(self.percentile(percent).as_millis()).unwrap_or(u64::MAX);
        json!({ "p50": of(50), "p99": of(99) })
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (half, most) = (self.percentile(50).as_millis(), self.percentile(99).as_millis());
        write!(
            f,
            "{:.0} runs/s, created to started: p50 {half} ms, p99 {most} ms; {} not started at the \
             last trigger",
            self.runs_per_second, self.queued,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(created: i64, started: i64, finished: i64) -> Value {
        let [created, started, finished] =
            [created, started, finished].map(|at| Timestamp(at).to_string());
        json!({ "createdAt": created, "startedAt": started, "finishedAt": finished })
    }

    #[test]
    fn rate_and_percentiles_are_those_of_the_rows() {
        let rows: Vec<Value> =
            (1..=100).map(|number| row(number * 10, number * 11, 1_010 + number * 10)).collect();
        let latency = Latency::of(&rows).unwrap();
        assert_eq!(latency.runs_per_second, 50.0);
        assert_eq!(latency.json(), json!({ "p50": 50, "p99": 99 }));
        // 91 * 11 is the first start after the last creation at 1,000.
        assert_eq!(latency.queued, 10);
    }

    #[test]
    fn a_run_that_has_not_ended_has_no_figures() {
        assert_eq!(Latency::of(&[]), None);
        let open = json!({ "createdAt": "2026-01-01T00:00:00.000Z", "startedAt": null });
        assert_eq!(Latency::of(&[row(1, 2, 3), open]), None);
    }
}
