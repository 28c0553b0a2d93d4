//! `orchestrator load`: drives a running server over HTTP, and checks that its books agree: what was accepted, what is
//! stored, what the metrics say, and how many spans there must be.

mod drive;
mod ledger;
pub mod scrape;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Map, Value, json};
use url::Url;

use super::client::Api;
use super::serve::duration;
use super::{Exit, Problem, out, values};
use crate::cause::innermost;
use ledger::Ledger;
use scrape::Scrape;

/// Drives a running server with runs, and checks that accepted = terminal = rows = counters, that nothing is left
/// active or was dropped, and that there are as many spans as there must be. Wants the server for itself.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// The workflow that is run.
    #[arg(long, env = "HUB_WORKFLOW", default_value = "scan-and-notify")]
    pub workflow: String,
    /// How many runs.
    #[arg(long, env = "HUB_RUNS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub runs: u64,
    /// How many of them at the same time.
    #[arg(long, env = "HUB_CONCURRENCY", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub concurrency: u64,
    /// How long each run stays busy, e.g. `3s`: `hold_ms` in the context, which the scanner obeys.
    #[arg(long, env = "HUB_HOLD", value_parser = duration)]
    pub hold: Option<Duration>,
    /// Values of each run's context, as `key=value`.
    #[arg(long = "context", env = "HUB_CONTEXT", value_name = "KEY=VALUE", value_parser = values::key_value)]
    pub context: Vec<(String, Value)>,
    /// Where the server's metrics are scraped.
    #[arg(long, env = "HUB_METRICS", default_value = "http://127.0.0.1:9464/metrics")]
    pub metrics: Url,
    /// Writes the result as JSON to a file; `-` is stdout, which then has no ids.
    #[arg(long, env = "HUB_JSON", value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How long all of it may take.
    #[arg(long, env = "HUB_TIMEOUT", default_value = "120s", value_parser = duration)]
    pub timeout: Duration,
}

/// What is being done, as the parts see it.
struct Plan {
    workflow: String,
    runs: u64,
    concurrency: u64,
    context: Map<String, Value>,
    metrics: Metrics,
    timeout: Duration,
}

impl LoadArgs {
    /// Drives, waits, checks, reports.
    ///
    /// # Errors
    /// When the server or its metrics do not answer.
    pub async fn execute(self, api: &Api) -> Result<Exit, Problem> {
        let mut context = values::context(&self.context);
        if let Some(hold) = self.hold {
            context.insert(
                "hold_ms".into(),
                json!(u64::try_from(hold.as_millis()).unwrap_or(u64::MAX)),
            );
        }
        let plan = Plan {
            workflow: self.workflow.clone(),
            runs: self.runs,
            concurrency: self.concurrency.min(self.runs),
            context,
            metrics: Metrics::new(self.metrics.clone())?,
            timeout: self.timeout,
        };
        let before = plan.metrics.quiet().await?;
        let nodes = api.get("/api/workflows/{name}", &plan.workflow).await?["nodes"]
            .as_array()
            .map_or(0, Vec::len) as u64;
        let driven = drive::drive(&plan, api, &before).await?;
        let rows = drive::rows(&plan, api, &driven.accepted).await?;
        let held = self.hold.is_some_and(|hold| hold >= Duration::from_secs(1));
        let ledger =
            Ledger { plan: &plan, nodes, driven: &driven, rows: &rows, before: &before, held };
        let report = ledger.settle(&api.sent()).await?;

        let to_stdout = self.json.as_deref().is_some_and(|path| path.as_os_str() == "-");
        if to_stdout {
            out::line(&report.json().to_string());
        } else {
            driven.accepted.iter().for_each(|id| out::line(id));
        }
        if let Some(path) = self.json.filter(|_| !to_stdout) {
            std::fs::write(&path, format!("{:#}\n", report.json())).map_err(|error| {
                Problem::failure(format!("`{}` cannot be written: {error}", path.display()))
            })?;
        }
        eprint!("{report}");
        Ok(match (report.holds(), driven.in_time) {
            (true, _) => Exit::Success,
            (false, true) => Exit::Failed,
            (false, false) => Exit::TimedOut,
        })
    }
}

/// So long may a span wait before it is exported (OTEL_BSP_SCHEDULE_DELAY's default and a little).
const QUIET: Duration = Duration::from_millis(1250);
/// A server that is never quiet is not waited for longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server's `/metrics`.
#[derive(Debug)]
struct Metrics {
    http: reqwest::Client,
    url: Url,
}

impl Metrics {
    fn new(url: Url) -> Result<Self, Problem> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build();
        Ok(Self { http: http?, url })
    }

    /// The server's counters once nothing has moved for a while: a span that was measured before, and is exported after,
    /// would be missed in the books.
    async fn quiet(&self) -> Result<Scrape, Problem> {
        let begun = Instant::now();
        let (mut since, mut known) = (begun, self.scrape().await?);
        while since.elapsed() < QUIET && begun.elapsed() < PATIENCE {
            tokio::time::sleep(QUIET / 5).await;
            let now = self.scrape().await?;
            if ledger::recorded(&now) != ledger::recorded(&known) {
                since = Instant::now();
            }
            known = now;
        }
        Ok(known)
    }

    async fn scrape(&self) -> Result<Scrape, Problem> {
        let none = |reason| {
            let url = &self.url;
            Problem::failure(format!(
                "no metrics from {url}: {reason}; name the server's with --metrics"
            ))
        };
        let failed = |error| none(innermost(error));
        let answer = self.http.get(self.url.clone()).send().await.map_err(failed)?;
        let text = answer.error_for_status().map_err(failed)?.text().await.map_err(failed)?;
        Scrape::parse(&text).map_err(none)
    }
}
