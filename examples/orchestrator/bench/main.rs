//! Load test of a running orchestrator: triggers runs over HTTP and reconciles accepted runs,
//! stored rows, metrics and span counts.
//!
//! ```console
//! $ cargo run -p orchestrator --bin orchestrator-bench -- --runs 50 --concurrency 50 --hold 3s
//! ```

mod drive;
mod latency;
mod reconcile;
mod scrape;

use crate::drive::Driven;
use crate::latency::Latency;
use crate::reconcile::Reconciliation;
use crate::scrape::Metrics;
use clap::{Args, Parser};
use orchestrator::cli::client::{self, Api, Sent};
use orchestrator::cli::values;
use orchestrator::clock::parse_duration;
use orchestrator::terminal::{Exit, Problem, print_line};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use url::Url;

/// Triggers runs on running servers and compares what was accepted, stored, counted and exported.
#[derive(Debug, Parser)]
#[command(name = "orchestrator-bench", version, max_term_width = 100)]
#[command(
    after_help = "The servers must have no other clients during the test.\n\nExit codes: 0 all checks hold, \
                  1 a check failed, 2 usage error, 3 timeout."
)]
struct BenchCli {
    #[command(flatten)]
    server: client::Server,
    #[command(flatten)]
    bench: BenchArgs,
}

#[derive(Debug, Clone, Args)]
struct BenchArgs {
    /// The workflow to run.
    #[arg(long, env = "HUB_WORKFLOW", default_value = "scan-and-notify")]
    workflow: String,
    /// Number of runs.
    #[arg(long, env = "HUB_RUNS", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    runs: u64,
    /// Maximum number of runs at the same time.
    #[arg(long, env = "HUB_CONCURRENCY", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    concurrency: u64,
    /// Time that each run stays busy, e.g. `3s`. Sets `hold_ms` in the context, which the scanner
    /// reads.
    #[arg(long, env = "HUB_HOLD", value_parser = parse_duration)]
    hold: Option<Duration>,
    /// Values of each run's context, as `key=value`.
    #[arg(long = "context", env = "HUB_CONTEXT", value_name = "KEY=VALUE", value_parser = values::key_value)]
    context: Vec<(String, Value)>,
    /// URL of a further server on the same database. The runs are triggered at all servers in turn.
    #[arg(long, env = "HUB_PEER", value_name = "URL", value_delimiter = ',')]
    peer: Vec<Url>,
    /// Mean time between two triggers. Each time is a random one, so that the triggers do not
    /// follow a timer of the server.
    #[arg(long, env = "HUB_PACE", value_name = "TIME", value_parser = parse_duration)]
    pace: Option<Duration>,
    /// URL of the metrics of each server.
    #[arg(
        long,
        env = "HUB_METRICS",
        value_name = "URL",
        default_value = "http://127.0.0.1:9464/metrics"
    )]
    #[arg(value_delimiter = ',')]
    metrics: Vec<Url>,
    /// Writes the report as JSON to a file. `-` is stdout, which then has no run ids.
    #[arg(long, env = "HUB_JSON", value_name = "FILE")]
    json: Option<PathBuf>,
    /// Maximum duration of the test.
    #[arg(long, env = "HUB_TIMEOUT", default_value = "120s", value_parser = parse_duration)]
    timeout: Duration,
}

/// Parameters of the test, as its parts need them.
struct Plan {
    workflow: String,
    runs: u64,
    concurrency: u64,
    context: Map<String, Value>,
    metrics: Metrics,
    pace: Duration,
    timeout: Duration,
}

impl Plan {
    fn new(args: &BenchArgs) -> Result<Self, Problem> {
        let mut context: Map<String, Value> = args.context.iter().cloned().collect();
        if let Some(hold) = args.hold {
            let hold_ms = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
            context.insert("hold_ms".into(), json!(hold_ms));
        }
        Ok(Self {
            workflow: args.workflow.clone(),
            runs: args.runs,
            concurrency: args.concurrency.min(args.runs),
            context,
            metrics: Metrics::new(args.metrics.clone())?,
            pace: args.pace.unwrap_or_default(),
            timeout: args.timeout,
        })
    }
}

fn main() -> ExitCode {
    let cli = BenchCli::parse();
    let result = client::main(cli.server, async |api| run_bench(cli.bench, &api).await);
    result.unwrap_or_else(Problem::report).into()
}

async fn run_bench(args: BenchArgs, api: &Api) -> Result<Exit, Problem> {
    let peers: Result<Vec<Api>, _> = args.peer.iter().map(|url| api.of(url.clone())).collect();
    let peers = peers?;
    let servers: Vec<&Api> = std::iter::once(api).chain(&peers).collect();
    let plan = Plan::new(&args)?;
    let before = plan.metrics.scrape_when_idle().await?;
    let workflow = api.get("/api/workflows/{name}", &plan.workflow).await?;
    let driven = drive::drive(&plan, &servers, &before).await?;
    let rows = drive::fetch_rows(&plan, api, &driven.accepted).await?;
    let reconciliation = Reconciliation {
        plan: &plan,
        nodes: workflow["nodes"].as_array().map_or(0, Vec::len) as u64,
        driven: &driven,
        rows: &rows,
        latency: Latency::of(&rows),
        before: &before,
        held: args.hold.is_some_and(|hold| hold >= Duration::from_secs(1)),
    };
    let report = reconciliation.reconcile(&sent_by(&servers)).await?;
    write_report(&args, &driven, &report)?;
    Ok(match (report.holds(), driven.in_time) {
        (true, _) => Exit::Success,
        (false, true) => Exit::Failed,
        (false, false) => Exit::TimedOut,
    })
}

/// Number of requests sent to all servers.
fn sent_by(servers: &[&Api]) -> Sent {
    let mut sent = Sent::new();
    for (request, count) in servers.iter().flat_map(|server| server.sent()) {
        *sent.entry(request).or_default() += count;
    }
    sent
}

fn write_report(
    args: &BenchArgs,
    driven: &Driven,
    report: &reconcile::BenchReport,
) -> Result<(), Problem> {
    match args.json.as_deref() {
        Some(path) if path.as_os_str() == "-" => print_line(&report.json().to_string()),
        path => {
            driven.accepted.iter().for_each(|id| print_line(id));
            if let Some(path) = path {
                std::fs::write(path, format!("{:#}\n", report.json())).map_err(|error| {
                    Problem::failure(format!("cannot write `{}`: {error}", path.display()))
                })?;
            }
        }
    }
    eprint!("{report}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_flag_is_also_a_variable_of_its_name() {
        let command = BenchCli::command();
        command.clone().debug_assert();
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long() else { continue };
            let variable = format!("HUB_{}", flag.to_uppercase());
            assert_eq!(argument.get_env(), Some(variable.as_ref()), "--{flag}");
        }
    }
}
