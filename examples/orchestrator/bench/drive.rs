//! Triggers the runs, at most `concurrency` at a time, and waits until the server has counted all
//! of them.

use std::collections::HashSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hub_otel::semconv::metric;
use serde_json::Value;

use crate::Plan;
use crate::scrape::Scrape;
use orchestrator::cli::client::{Api, CallError};
use orchestrator::terminal::Problem;

/// Maximum number of requests in flight. The concurrency is that of the runs, not of the
/// connections.
const MAX_REQUESTS: usize = 64;
/// Interval between two scrapes of the counters.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Maximum attempts per trigger. The idempotency key makes them one run.
const ATTEMPTS: u32 = 5;

/// Result of the load.
#[derive(Debug, Default)]
pub(crate) struct Driven {
    /// Ids of the accepted runs.
    pub(crate) accepted: Vec<String>,
    /// Error texts of the triggers that failed.
    pub(crate) failed: Vec<String>,
    /// Maximum number of active runs over all scrapes.
    pub(crate) max_active: f64,
    /// Time from the first trigger to the end of the last run.
    pub(crate) took: Duration,
    /// `false` if the timeout elapsed first.
    pub(crate) in_time: bool,
}

/// Triggers every run and waits until the counters show that all have ended.
pub(crate) async fn drive(
    plan: &Plan,
    servers: &[&Api],
    before: &Scrape,
) -> Result<Driven, Problem> {
    let started = Instant::now();
    let mut driven = Driven::default();
    let mut triggers = FuturesUnordered::new();
    let mut polls = tokio::time::interval(POLL_INTERVAL);
    polls.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut sent, mut ended) = (0_u64, 0_u64);
    let mut next = servers.iter().cycle();
    let mut paced = pin!(tokio::time::sleep(Duration::ZERO));
    loop {
        let in_flight = sent.saturating_sub(ended + driven.failed.len() as u64);
        let room = plan.concurrency.saturating_sub(in_flight).min(plan.runs - sent);
        let mut room = room.min((MAX_REQUESTS - triggers.len().min(MAX_REQUESTS)) as u64);
        while room > 0 && (plan.pace.is_zero() || paced.is_elapsed()) {
            let Some(api) = next.next() else { break };
            sent += 1;
            room -= 1;
            triggers.push(trigger(plan, api));
            let pause = plan.pace.mul_f64(rand::random_range(0.0..2.0));
            paced.as_mut().reset(tokio::time::Instant::now() + pause);
        }
        tokio::select! {
            () = paced.as_mut(), if room > 0 => {}
            Some(result) = triggers.next() => match result {
                Ok(id) => driven.accepted.push(id),
                Err(error) => driven.failed.push(error.to_string()),
            },
            _ = polls.tick() => {
                let now = plan.metrics.scrape().await?;
                ended = count_ended(&now, plan) - count_ended(before, plan);
                driven.max_active = driven.max_active.max(count_active(&now, plan));
            }
        }
        driven.in_time = started.elapsed() < plan.timeout;
        let done =
            sent == plan.runs && triggers.is_empty() && ended >= driven.accepted.len() as u64;
        if done || !driven.in_time {
            driven.took = started.elapsed();
            return Ok(driven);
        }
    }
}

async fn trigger(plan: &Plan, api: &Api) -> Result<String, CallError> {
    let key = uuid::Uuid::now_v7().to_string();
    let mut attempt = 1;
    loop {
        match api.trigger(&plan.workflow, &plan.context, Some(&key)).await {
            Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(100) * attempt).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// Fetches the rows of the accepted runs until all are terminal, for at most ten seconds. There are
/// no other clients, so these are the newest rows.
pub(crate) async fn fetch_rows(
    plan: &Plan,
    api: &Api,
    accepted: &[String],
) -> Result<Vec<Value>, Problem> {
    let wanted: HashSet<&str> = accepted.iter().map(String::as_str).collect();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let route = "/api/workflows/{name}/runs";
        let mut rows = api.list(route, &plan.workflow, &[], wanted.len()).await?;
        rows.retain(|row| row["id"].as_str().is_some_and(|id| wanted.contains(id)));
        let ended = rows.iter().filter(|row| is_terminal(row)).count();
        if ended >= wanted.len() || Instant::now() > deadline {
            return Ok(rows);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns whether a row has a terminal status.
pub(crate) fn is_terminal(row: &Value) -> bool {
    !matches!(row["status"].as_str(), None | Some("PENDING" | "RUNNING" | "WAITING_APPROVAL"))
}

/// Number of ended runs by the counter.
fn count_ended(scrape: &Scrape, plan: &Plan) -> u64 {
    scrape.sum(metric::WORKFLOW_RUNS.prometheus, &[("workflow_id", &plan.workflow)]) as u64
}

/// Number of active runs by the gauge.
pub(crate) fn count_active(scrape: &Scrape, plan: &Plan) -> f64 {
    scrape.sum(metric::WORKFLOWS_ACTIVE.prometheus, &[("workflow_id", &plan.workflow)])
}
