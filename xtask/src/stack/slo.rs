//! Service-level objectives and their recording rules.
//!
//! Good and bad events are counted exactly per minute. A budget over 30 days is the sum of 43,200
//! recorded values instead of a range query over millions of samples.

use crate::promql::{LE, Series, events_per_minute, sum_by};
use crate::stack::recordings::{ALERT_AGENT, ALERT_WORKFLOW, FAILURES, NEUTRAL, server_errors};
use crate::stack::rule::Rule;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, STATUS, WORKFLOW_ID};
use hub_otel::semconv::metric as m;

/// A service-level objective.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Value of the label `slo`.
    pub id: &'static str,
    /// Display name.
    pub title: &'static str,
    /// Required ratio of good events.
    pub target: f64,
    /// Window of the objective.
    pub window: &'static str,
    /// Minimum number of events in the long window of a burn rate, below which it is not recorded.
    pub minimum: u32,
    /// Bad events of the last minute, by service.
    pub bad: String,
    /// Valid (good and bad) events of the last minute, by service.
    pub valid: String,
}

const BAD: &str = "slo:bad:increase1m";
const VALID: &str = "slo:valid:increase1m";
const BUDGET: &str = "slo:budget:ratio";
const MINIMUM: &str = "slo:minimum:events";
/// Lower of the burn rates over 5 minutes and over 1 hour.
pub const BURN_FAST: &str = "slo:burn_rate:fast";
/// Lower of the burn rates over 30 minutes and over 6 hours.
pub const BURN_SLOW: &str = "slo:burn_rate:slow";
/// Remaining ratio of the error budget; negative if it is exceeded.
pub const REMAINING: &str = "slo:budget:remaining_ratio";
/// Required ratio of good events.
pub const TARGET: &str = "slo:objective:ratio";
/// Ratio of good events in the window of the objective.
pub const ACHIEVED: &str = "slo:achieved:ratio";

/// Delay after which a minute is evaluated. Pushed samples arrive later than their timestamps,
/// because the Collector batches and retries them. A sample that arrives after the evaluation of
/// its minute is never counted.
pub const QUERY_OFFSET: &str = "30s";

/// Runs of the last minute, by workflow and status. Their sum over a month is the number of runs.
pub const MONTHLY_RUNS: &str = "workflow:runs:increase1m";

/// Series recorded by the rules, with their labels.
pub const SERIES: &[(&str, &[&str])] = &[
    (MONTHLY_RUNS, &["service_name", "workflow_id", "status"]),
    (BAD, &["service_name", "slo"]),
    (VALID, &["service_name", "slo"]),
    (BUDGET, &["slo"]),
    (MINIMUM, &["slo"]),
    (TARGET, &["slo", "title", "window"]),
    ("slo:error:ratio_5m", &["service_name", "slo"]),
    ("slo:error:ratio_30m", &["service_name", "slo"]),
    ("slo:error:ratio_1h", &["service_name", "slo"]),
    ("slo:error:ratio_6h", &["service_name", "slo"]),
    (BURN_FAST, &["service_name", "slo"]),
    (BURN_SLOW, &["service_name", "slo"]),
    (ACHIEVED, &["service_name", "slo"]),
    (REMAINING, &["service_name", "slo"]),
];

/// Returns the objectives of the stack.
#[must_use]
pub fn objectives() -> Vec<Objective> {
    let runs = || Series::of(&m::WORKFLOW_RUNS).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let agents = || Series::of(&m::AGENT_RUNS).not(AGENT_ID, ALERT_AGENT);
    let durations = |part: fn(&m::Metric) -> Series| {
        part(&m::WORKFLOW_DURATION).not(WORKFLOW_ID, ALERT_WORKFLOW).unlike(STATUS, NEUTRAL)
    };
    let minute = |series: Series| sum_by(&[SERVICE_NAME], events_per_minute(&series));
    let finished = minute(durations(Series::count));
    // The bound is "120000" in scraped metrics and "120000.0" in pushed metrics.
    let in_time = minute(durations(Series::buckets).like(LE, "120000([.]0)?"));
    vec![
        Objective {
            id: "workflow-success",
            title: "Workflow runs succeed",
            target: 0.99,
            window: "30d",
            minimum: 10,
            bad: minute(runs().like(STATUS, FAILURES)),
            valid: minute(runs().unlike(STATUS, NEUTRAL)),
        },
        Objective {
            id: "api-availability",
            title: "API responses are not 5xx",
            target: 0.999,
            window: "30d",
            minimum: 100,
            bad: minute(server_errors()),
            valid: minute(Series::count(&m::HTTP_SERVER_REQUEST_DURATION)),
        },
        Objective {
            id: "workflow-duration",
            title: "Workflow runs take less than 2 minutes",
            target: 0.95,
            window: "7d",
            minimum: 10,
            bad: format!("{finished} - {in_time}"),
            valid: finished,
        },
        Objective {
            id: "agent-success",
            title: "Agent executions succeed",
            target: 0.98,
            window: "7d",
            minimum: 10,
            bad: minute(agents().like(STATUS, FAILURES)),
            valid: minute(agents().unlike(STATUS, NEUTRAL)),
        },
    ]
}

/// Returns the recording rules of all objectives.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let objectives = objectives();
    let by_run = [SERVICE_NAME, WORKFLOW_ID, STATUS];
    let mut rules = vec![Rule::record(
        MONTHLY_RUNS,
        sum_by(&by_run, events_per_minute(&Series::of(&m::WORKFLOW_RUNS))),
    )];
    for objective in &objectives {
        let id = [("slo", objective.id)];
        let budget = 1.0 - objective.target;
        rules.push(
            Rule::record(TARGET, format!("vector({})", objective.target))
                .labelled(&id)
                .labelled(&[("title", objective.title), ("window", objective.window)]),
        );
        // Rounded, because 1 - 0.99 is 0.010000000000000009.
        rules.push(
            Rule::record(BUDGET, format!("vector({})", (budget * 1e6).round() / 1e6)).labelled(&id),
        );
        rules.push(Rule::record(MINIMUM, format!("vector({})", objective.minimum)).labelled(&id));
        rules.push(Rule::record(VALID, objective.valid.clone()).labelled(&id));
        // Zero instead of absent if there has been no bad event yet.
        rules.push(
            Rule::record(BAD, format!("{} or 0 * {}", objective.bad, objective.valid))
                .labelled(&id),
        );
    }
    for window in ["5m", "30m", "1h", "6h"] {
        rules.push(Rule::record(
            format!("slo:error:ratio_{window}"),
            format!("sum_over_time({BAD}[{window}]) / (sum_over_time({VALID}[{window}]) > 0)"),
        ));
    }
    for (name, short, long) in [(BURN_FAST, "5m", "1h"), (BURN_SLOW, "30m", "6h")] {
        let [short, at_length] = [short, long].map(|window| format!("slo:error:ratio_{window}"));
        rules.push(Rule::record(
            name,
            format!(
                "((({short} < {at_length} or {at_length}) and {short}) / on (slo) group_left () {BUDGET}) \
                 and (sum_over_time({VALID}[{long}]) >= on (slo) group_left () {MINIMUM})"
            ),
        ));
    }
    for objective in &objectives {
        let Objective { id, window, .. } = objective;
        rules.push(
            Rule::record(
                ACHIEVED,
                format!(
                    "1 - sum_over_time({BAD}{{slo=\"{id}\"}}[{window}]) / \
                 (sum_over_time({VALID}{{slo=\"{id}\"}}[{window}]) > 0)"
                ),
            )
            .labelled(&[("slo", id)]),
        );
    }
    rules.push(Rule::record(
        REMAINING,
        format!("1 - (1 - {ACHIEVED}) / on (slo) group_left () {BUDGET}"),
    ));
    rules
}
