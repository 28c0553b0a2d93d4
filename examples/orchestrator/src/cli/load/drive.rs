//! Asks for the runs, never more than the concurrency at a time, and waits until the server has counted them all.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hub_otel::semconv::metric;
use serde_json::Value;

use super::Plan;
use super::scrape::Scrape;
use crate::cli::Problem;
use crate::cli::client::{Api, CallError};

/// Requests in flight: the concurrency is the runs', not the connections'.
const CONNECTIONS: usize = 64;
/// How often the counters are looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// Attempts at one trigger; its idempotency key makes them one run.
const ATTEMPTS: u32 = 5;

/// What the driving came to.
#[derive(Debug, Default)]
pub(super) struct Driven {
    /// The runs that were accepted.
    pub(super) accepted: Vec<String>,
    /// What was not accepted.
    pub(super) refused: Vec<String>,
    /// The most runs that a scrape in between found active.
    pub(super) peak_active: f64,
    /// From the first trigger to the last run's end.
    pub(super) took: Duration,
    /// Whether all had ended before the time was up.
    pub(super) in_time: bool,
}

/// Asks for every run and waits for its end, as the counters tell it.
pub(super) async fn drive(plan: &Plan, api: &Api, before: &Scrape) -> Result<Driven, Problem> {
    let begun = Instant::now();
    let mut driven = Driven::default();
    let mut asking = FuturesUnordered::new();
    let mut glances = tokio::time::interval(GLANCE);
    glances.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut asked, mut ended) = (0_u64, 0_u64);
    loop {
        let in_flight = asked.saturating_sub(ended + driven.refused.len() as u64);
        let room = plan.concurrency.saturating_sub(in_flight).min(plan.runs - asked);
        for _ in 0..room.min((CONNECTIONS - asking.len().min(CONNECTIONS)) as u64) {
            asked += 1;
            asking.push(trigger(plan, api));
        }
        tokio::select! {
            Some(answer) = asking.next() => match answer {
                Ok(id) => driven.accepted.push(id),
                Err(error) => driven.refused.push(error.to_string()),
            },
            _ = glances.tick() => {
                let now = plan.metrics.scrape().await?;
                ended = runs(&now, plan) - runs(before, plan);
                driven.peak_active = driven.peak_active.max(active(&now, plan));
            }
        }
        driven.in_time = begun.elapsed() < plan.timeout;
        let done = asked == plan.runs && asking.is_empty() && ended >= driven.accepted.len() as u64;
        if done || !driven.in_time {
            driven.took = begun.elapsed();
            return Ok(driven);
        }
    }
}

async fn trigger(plan: &Plan, api: &Api) -> Result<String, CallError> {
    let key = uuid::Uuid::now_v7().to_string();
    let mut attempt = 1;
    loop {
        match api.trigger(&plan.workflow, &plan.context, Some(&key)).await {
            Err(error) if error.is_passing() && attempt < ATTEMPTS => {
                tokio::time::sleep(Duration::from_millis(100) * attempt).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}

/// The rows of the accepted runs: read until all are terminal, or for ten seconds. Nobody else starts runs meanwhile, so
/// they are the newest.
pub(super) async fn rows(
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
        tokio::time::sleep(GLANCE).await;
    }
}

/// Whether a row has reached its end.
pub(super) fn is_terminal(row: &Value) -> bool {
    !matches!(row["status"].as_str(), None | Some("PENDING" | "RUNNING" | "WAITING_APPROVAL"))
}

/// The runs that the counter has seen end.
fn runs(scrape: &Scrape, plan: &Plan) -> u64 {
    scrape.sum(metric::WORKFLOW_RUNS.prometheus, &[("workflow_id", &plan.workflow)]) as u64
}

/// The runs that are active.
pub(super) fn active(scrape: &Scrape, plan: &Plan) -> f64 {
    scrape.sum(metric::WORKFLOWS_ACTIVE.prometheus, &[("workflow_id", &plan.workflow)])
}
