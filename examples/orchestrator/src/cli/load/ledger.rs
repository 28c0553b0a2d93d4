//! The books: what was asked for, what is stored, and what the metrics say must be the same.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use hub_otel::semconv::{METRICS, metric, status};
use serde_json::{Value, json};

use super::Plan;
use super::drive::{self, Driven};
use super::scrape::Scrape;
use crate::cli::Problem;
use crate::cli::client::Sent;

/// How long the server has to count and export what it has done.
const SETTLE: Duration = Duration::from_secs(15);
/// Label combinations of the fixed metrics that are too many.
const COMBINATIONS: f64 = 100.0;

/// Each span of these kinds has one measurement in its histogram.
const MEASURED: [metric::Metric; 6] = [
    metric::WORKFLOW_DURATION,
    metric::AGENT_DURATION,
    metric::WORKFLOW_APPROVAL_WAIT_TIME,
    metric::HTTP_SERVER_REQUEST_DURATION,
    metric::HTTP_CLIENT_REQUEST_DURATION,
    metric::DB_CLIENT_OPERATION_DURATION,
];

/// How many spans were measured, and how many items left the exporter or were lost.
pub(super) fn recorded(scrape: &Scrape) -> [f64; 2] {
    let measured = MEASURED
        .iter()
        .map(|family| scrape.sum(&format!("{}_count", family.prometheus), &[]))
        .sum();
    [measured, scrape.sum(metric::EXPORT_ITEMS.prometheus, &[])]
}

/// What is compared.
pub(super) struct Ledger<'a> {
    pub(super) plan: &'a Plan,
    pub(super) nodes: u64,
    pub(super) driven: &'a Driven,
    pub(super) rows: &'a [Value],
    pub(super) before: &'a Scrape,
    pub(super) held: bool,
}

/// One line of the books.
#[derive(Debug, Clone)]
pub(super) struct Check {
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

impl Ledger<'_> {
    /// Scrapes until every line holds, or the time is up: what was done a moment ago is counted a moment later.
    pub(super) async fn settle(&self, sent: &Sent) -> Result<Report, Problem> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let now = self.plan.metrics.scrape().await?;
            let report = self.report(&now, sent);
            if report.holds() || Instant::now() > deadline {
                return Ok(report);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    fn report(&self, now: &Scrape, sent: &Sent) -> Report {
        let mut checks = self.runs(now);
        checks.extend(self.spans(now, sent));
        let combinations: BTreeMap<&str, usize> = METRICS[..metric::FIXED]
            .iter()
            .map(|fixed| (fixed.prometheus, now.combinations(fixed.prometheus)))
            .collect();
        let total: usize = combinations.values().sum();
        checks.push(Check::below(
            "label combinations of the fixed metrics",
            COMBINATIONS,
            total as f64,
        ));
        let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
        for row in self.rows.iter() {
            *statuses.entry(row["status"].as_str().unwrap_or("?").to_owned()).or_default() += 1;
        }
        Report {
            checks,
            combinations,
            statuses,
            workflow: self.plan.workflow.clone(),
            peak_active: self.driven.peak_active,
            took: self.driven.took,
            refused: self.driven.refused.clone(),
        }
    }

    /// Accepted = terminal = rows = counters; nothing is left active.
    fn runs(&self, now: &Scrape) -> Vec<Check> {
        let workflow = ("workflow_id", self.plan.workflow.as_str());
        let rows = self.rows;
        let accepted = self.driven.accepted.len() as f64;
        let terminal = rows.iter().filter(|row| drive::is_terminal(row)).count() as f64;
        let mut checks = vec![
            Check::equal("accepted = asked for", self.plan.runs as f64, accepted),
            Check::equal("rows = accepted", accepted, rows.len() as f64),
            Check::equal("terminal = accepted", accepted, terminal),
        ];
        for state in status::TERMINAL {
            let stored =
                rows.iter().filter(|row| row["status"].as_str() == Some(state)).count() as f64;
            let counted =
                self.grown(now, metric::WORKFLOW_RUNS.prometheus, &[workflow, ("status", state)]);
            if stored != 0.0 || counted != 0.0 {
                checks.push(Check::equal(format!("counter {state} = rows"), stored, counted));
            }
        }
        if self.held && self.plan.concurrency == self.plan.runs {
            checks.push(Check::equal(
                "active while held = concurrency",
                self.plan.concurrency as f64,
                self.driven.peak_active,
            ));
        }
        checks.push(Check::equal("active at the end", 0.0, drive::active(now, self.plan)));
        checks
    }

    /// The formula: workflow.execute = runs, agent.execute = executed nodes, HTTP server = requests sent; and the
    /// exporter's books hold what these and the client spans come to, with nothing dropped.
    fn spans(&self, now: &Scrape, sent: &Sent) -> Vec<Check> {
        let count = |family: &str, labels: &[(&str, &str)]| {
            self.grown(now, &format!("{family}_count"), labels)
        };
        let workflow = [("workflow_id", self.plan.workflow.as_str())];
        let executed: usize =
            self.rows.iter().map(|row| row["nodes"].as_array().map_or(0, Vec::len)).sum();
        let all_nodes = self.rows.iter().all(|row| row["status"] == status::SUCCESS);
        let nodes = if all_nodes { self.nodes * self.rows.len() as u64 } else { executed as u64 };
        let requests: u64 = sent.values().sum();
        // Only what this command asked for: somebody else may decide its approvals meanwhile.
        let answered = |((method, route), _): (&(reqwest::Method, &str), &u64)| {
            let labels = [("http_request_method", method.as_str()), ("http_route", *route)];
            count(metric::HTTP_SERVER_REQUEST_DURATION.prometheus, &labels)
        };
        let exported =
            |labels: &[(&str, &str)]| self.grown(now, metric::EXPORT_ITEMS.prometheus, labels);
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
                sent.iter().map(answered).sum(),
            ),
            Check::equal("dropped", 0.0, exported(&[("result", "dropped")])),
        ];
        let traces = exported(&[("signal", "traces")]);
        if traces > 0.0 {
            // Where nobody takes the spans they wait.
            let counted: f64 = MEASURED.iter().map(|family| count(family.prometheus, &[])).sum();
            // A segment that ends in a wait is a span without a measurement: its run has not ended.
            let waits: u64 = self.rows.iter().filter_map(|row| row["waits"].as_u64()).sum();
            checks.push(Check::equal(
                "spans exported = spans measured",
                counted + waits as f64,
                traces,
            ));
        }
        checks
    }

    fn grown(&self, now: &Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
        now.sum(name, labels) - self.before.sum(name, labels)
    }
}

/// What the books say.
#[derive(Debug, Clone)]
pub(super) struct Report {
    checks: Vec<Check>,
    combinations: BTreeMap<&'static str, usize>,
    statuses: BTreeMap<String, u64>,
    workflow: String,
    peak_active: f64,
    took: Duration,
    refused: Vec<String>,
}

impl Report {
    /// Whether every line holds.
    pub(super) fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    /// The report for a program.
    pub(super) fn json(&self) -> Value {
        let checks: Vec<Value> = self
            .checks
            .iter()
            .map(|check| json!({ "name": check.name, "expected": check.expected, "found": check.found, "holds": check.holds }))
            .collect();
        json!({
            "workflow": self.workflow,
            "holds": self.holds(),
            "tookMs": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "peakActive": self.peak_active,
            "statuses": self.statuses,
            "checks": checks,
            "labelCombinations": self.combinations,
            "refused": self.refused,
        })
    }
}

impl fmt::Display for Report {
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
        for reason in self.refused.iter().take(3) {
            writeln!(f, "  refused: {reason}")?;
        }
        let combinations: Vec<String> =
            self.combinations.iter().map(|(name, count)| format!("{name} {count}")).collect();
        writeln!(f, "  label combinations: {}", combinations.join(", "))
    }
}
