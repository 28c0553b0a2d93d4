//! Reconciliation: the triggered runs, the stored rows and the metrics must have the same counts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use hub_otel::semconv::{METRICS, Stability, metric, status};
use serde_json::{Value, json};

use crate::Plan;
use crate::drive::{self, Driven};
use crate::latency::Latency;
use crate::scrape::Scrape;
use orchestrator::cli::client::Sent;
use orchestrator::terminal::Problem;

/// Maximum time for the server to count and export its last runs.
const RECONCILE_TIMEOUT: Duration = Duration::from_secs(15);
/// Limit of the label combinations of the fixed metrics.
const MAX_COMBINATIONS: f64 = 100.0;

/// Histograms with one measurement per span.
const MEASURED: [metric::Metric; 6] = [
    metric::WORKFLOW_DURATION,
    metric::AGENT_DURATION,
    metric::WORKFLOW_APPROVAL_WAIT_TIME,
    metric::HTTP_SERVER_REQUEST_DURATION,
    metric::HTTP_CLIENT_REQUEST_DURATION,
    metric::DB_CLIENT_OPERATION_DURATION,
];

/// Counts the measured spans, and the items that were exported or dropped.
pub(crate) fn count_recorded(scrape: &Scrape) -> [f64; 2] {
    let measured = MEASURED
        .iter()
        .map(|family| scrape.sum(&format!("{}_count", family.prometheus), &[]))
        .sum();
    [measured, scrape.sum(metric::EXPORT_ITEMS.prometheus, &[])]
}

/// Inputs of the comparison.
pub(crate) struct Reconciliation<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) nodes: u64,
    pub(crate) driven: &'a Driven,
    pub(crate) rows: &'a [Value],
    pub(crate) latency: Option<Latency>,
    pub(crate) before: &'a Scrape,
    pub(crate) held: bool,
}

/// One comparison.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    name: String,
    expected: f64,
    found: f64,
    holds: bool,
}

impl Check {
    fn equal(name: impl Into<String>, expected: f64, found: f64) -> Self {
        Self { name: name.into(), expected, found, holds: (expected - found).abs() < 0.5 }
    }

    fn below(name: impl Into<String>, limit: f64, found: f64) -> Self {
        Self { name: name.into(), expected: limit, found, holds: found < limit }
    }
}

impl Reconciliation<'_> {
    /// Scrapes until every check holds or the timeout elapses, because counting and exporting lag
    /// behind.
    pub(crate) async fn reconcile(&self, sent: &Sent) -> Result<BenchReport, Problem> {
        let deadline = Instant::now() + RECONCILE_TIMEOUT;
        loop {
            let now = self.plan.metrics.scrape().await?;
            let report = self.compare(&now, sent);
            if report.holds() || Instant::now() > deadline {
                return Ok(report);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    fn compare(&self, now: &Scrape, sent: &Sent) -> BenchReport {
        let mut checks = self.check_runs(now);
        checks.extend(self.check_spans(now, sent));
        let combinations: BTreeMap<&str, usize> = METRICS
            .iter()
            .filter(|metric| metric.stability == Stability::Fixed)
            .map(|fixed| (fixed.prometheus, now.combinations(fixed.prometheus)))
            .collect();
        let total: usize = combinations.values().sum();
        checks.push(Check::below(
            "label combinations of the fixed metrics",
            MAX_COMBINATIONS,
            total as f64,
        ));
        let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
        for row in self.rows.iter() {
            *statuses.entry(row["status"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
        }
        BenchReport {
            checks,
            combinations,
            statuses,
            workflow: self.plan.workflow.clone(),
            max_active: self.driven.max_active,
            took: self.driven.took,
            latency: self.latency.clone(),
            failed: self.driven.failed.clone(),
        }
    }

    /// Checks that accepted, terminal and stored runs and the counters are equal, and that no run
    /// is active.
    fn check_runs(&self, now: &Scrape) -> Vec<Check> {
        let workflow = ("workflow_id", self.plan.workflow.as_str());
        let rows = self.rows;
        let accepted = self.driven.accepted.len() as f64;
        let terminal = rows.iter().filter(|row| drive::is_terminal(row)).count() as f64;
        let mut checks = vec![
            Check::equal("accepted = triggered", self.plan.runs as f64, accepted),
            Check::equal("rows = accepted", accepted, rows.len() as f64),
            Check::equal("terminal = accepted", accepted, terminal),
        ];
        for state in status::TERMINAL {
            let stored =
                rows.iter().filter(|row| row["status"].as_str() == Some(state)).count() as f64;
            let counted = self.increase(
                now,
                metric::WORKFLOW_RUNS.prometheus,
                &[workflow, ("status", state)],
            );
            if stored != 0.0 || counted != 0.0 {
                checks.push(Check::equal(format!("counter {state} = rows"), stored, counted));
            }
        }
        if self.held && self.plan.concurrency == self.plan.runs {
            checks.push(Check::equal(
                "active while held = concurrency",
                self.plan.concurrency as f64,
                self.driven.max_active,
            ));
        }
        checks.push(Check::equal("active at the end", 0.0, drive::count_active(now, self.plan)));
        checks
    }

    /// Checks the span counts: one `workflow.execute` per run, one `agent.execute` per executed
    /// node, one server span per request. The exporter must have exported these and the client
    /// spans, with none dropped.
    fn check_spans(&self, now: &Scrape, sent: &Sent) -> Vec<Check> {
        let count = |family: &str, labels: &[(&str, &str)]| {
            self.increase(now, &format!("{family}_count"), labels)
        };
        let workflow = [("workflow_id", self.plan.workflow.as_str())];
        let executed: usize =
            self.rows.iter().map(|row| row["nodes"].as_array().map_or(0, Vec::len)).sum();
        let all_nodes = self.rows.iter().all(|row| row["status"] == status::SUCCESS);
        let nodes = if all_nodes { self.nodes * self.rows.len() as u64 } else { executed as u64 };
        let requests: u64 = sent.values().sum();
        // Routes of this client only: another client may decide approvals at the same time.
        let count_served = |((method, route), _): (&(reqwest::Method, &str), &u64)| {
            let labels = [("http_request_method", method.as_str()), ("http_route", *route)];
            count(metric::HTTP_SERVER_REQUEST_DURATION.prometheus, &labels)
        };
        let exported =
            |labels: &[(&str, &str)]| self.increase(now, metric::EXPORT_ITEMS.prometheus, labels);
        let mut checks = vec![
            Check::equal(
                "workflow.execute spans = runs",
                self.driven.accepted.len() as f64,
                count(metric::WORKFLOW_DURATION.prometheus, &workflow),
            ),
            Check::equal(
                "agent.execute spans = nodes",
                nodes as f64,
                count(metric::AGENT_DURATION.prometheus, &[]),
            ),
            Check::equal(
                "HTTP server spans = requests sent",
                requests as f64,
                sent.iter().map(count_served).sum(),
            ),
            Check::equal("dropped", 0.0, exported(&[("result", "dropped")])),
        ];
        let traces = exported(&[("signal", "traces")]);
        if traces > 0.0 {
            // Without a Collector the spans stay queued.
            let counted: f64 = MEASURED.iter().map(|family| count(family.prometheus, &[])).sum();
            // A suspended segment is a span without a measurement, because its run has not ended.
            let waits: u64 = self.rows.iter().filter_map(|row| row["waits"].as_u64()).sum();
            checks.push(Check::equal(
                "spans exported = spans measured",
                counted + waits as f64,
                traces,
            ));
        }
        checks
    }

    fn increase(&self, now: &Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
        now.sum(name, labels) - self.before.sum(name, labels)
    }
}

/// Result of the comparison.
#[derive(Debug, Clone)]
pub(crate) struct BenchReport {
    checks: Vec<Check>,
    combinations: BTreeMap<&'static str, usize>,
    statuses: BTreeMap<String, u64>,
    workflow: String,
    max_active: f64,
    took: Duration,
    latency: Option<Latency>,
    failed: Vec<String>,
}

impl BenchReport {
    /// Returns whether every check holds.
    pub(crate) fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// Formats the report as JSON.
    pub(crate) fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| json!({ "name": check.name, "expected": check.expected, "found": check.found, "holds": check.holds }))
            .collect();
        json!({
            "workflow": self.workflow,
            "holds": self.holds(),
            "tookMs": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "maxActive": self.max_active,
            "runsPerSecond": self.latency.as_ref().map(|latency| latency.runs_per_second),
            "startLatencyMs": self.latency.as_ref().map(Latency::json),
            "statuses": self.statuses,
            "checks": checks,
            "labelCombinations": self.combinations,
            "failed": self.failed,
        })
    }
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statuses: Vec<String> =
            self.statuses.iter().map(|(status, count)| format!("{count} {status}")).collect();
        writeln!(
            f,
            "{} in {:.1} s: {}",
            self.workflow,
            self.took.as_secs_f64(),
            statuses.join(", ")
        )?;
        if let Some(latency) = &self.latency {
            writeln!(f, "  {latency}")?;
        }
        for check in &self.checks {
            let (mark, than) = if check.holds { ("ok  ", "") } else { ("FAIL", "  <-- differs") };
            // Adding zero makes a -0 a 0.
            writeln!(
                f,
                "  {mark} {:<42} {:>8} of {}{than}",
                check.name,
                check.found + 0.0,
                check.expected
            )?;
        }
        for reason in self.failed.iter().take(3) {
            writeln!(f, "  failed: {reason}")?;
        }
        let combinations: Vec<String> =
            self.combinations.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "  label combinations: {}", combinations.join(", "))
    }
}
