//! Service-level objectives: recording rules and burn-rate alerts from one definition each.
//!
//! A minute's good and bad events are counted exactly and added up, so that a budget over 30 days is a sum of 43,200
//! small numbers and not a range query over millions of samples.

use crate::promql::{LE, Series, events_per_minute, sum_by};
use crate::stack::recordings::{ALERT_AGENT, ALERT_WORKFLOW, FAILURES, NEUTRAL, server_errors};
use crate::stack::rule::Rule;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, STATUS, WORKFLOW_ID};
use hub_otel::semconv::metric as m;

/// An objective: what share of which events may be bad, over which time.
#[derive(Debug, Clone)]
pub struct Objective {
    /// The value of the label `slo`.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// The share that must be good.
    pub target: f64,
    /// Over which time.
    pub window: &'static str,
    /// Fewer events than this in the long window of a burn rate say nothing.
    pub minimum: u32,
    /// Bad events of the last minute, by service.
    pub bad: String,
    /// All events of the last minute that count, by service.
    pub valid: String,
}

const BAD: &str = "slo:bad:increase1m";
const VALID: &str = "slo:valid:increase1m";
const BUDGET: &str = "slo:budget:ratio";
const MINIMUM: &str = "slo:minimum:events";
/// How fast the budget burns over 5 minutes and over 1 hour: the lower of the two.
pub const BURN_FAST: &str = "slo:burn_rate:fast";
/// How fast the budget burns over 30 minutes and over 6 hours: the lower of the two.
pub const BURN_SLOW: &str = "slo:burn_rate:slow";
/// The share of the budget that is left; below zero when it is overspent.
pub const REMAINING: &str = "slo:budget:remaining_ratio";
/// The share of events that must be good.
pub const TARGET: &str = "slo:objective:ratio";
/// The share of events in the objective's window that were good.
pub const ACHIEVED: &str = "slo:achieved:ratio";

/// How long after a minute it is counted. Samples are stamped when they are taken and arrive later: by a push that the
/// Collector batches, retries, or that waits for a busy machine. One that arrives after its minute was counted is never counted.
pub const ARRIVED: &str = "30s";

/// Runs of the last minute, by workflow and status: added up over a month they are the month's runs.
pub const MONTHLY_RUNS: &str = "workflow:runs:increase1m";

/// The series that the rules make, with their labels.
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

/// The objectives of the stack.
#[must_use]
pub fn objectives() -> Vec<Objective> {
    let runs = || Series::of(&m::WORKFLOW_RUNS).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let agents = || Series::of(&m::AGENT_RUNS).not(AGENT_ID, ALERT_AGENT);
    let durations = |part: fn(&m::Metric) -> Series| {
        part(&m::WORKFLOW_DURATION).not(WORKFLOW_ID, ALERT_WORKFLOW).unlike(STATUS, NEUTRAL)
    };
    let minute = |series: Series| sum_by(&[SERVICE_NAME], events_per_minute(&series));
    let finished = minute(durations(Series::count));
    // A bound is "120000" when it is scraped and "120000.0" when it was pushed.
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
            title: "The API answers without a 5xx",
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

/// The recording rules of all objectives.
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
        // Rounded: 1 - 0.99 is 0.010000000000000009.
        rules.push(
            Rule::record(BUDGET, format!("vector({})", (budget * 1e6).round() / 1e6)).labelled(&id),
        );
        rules.push(Rule::record(MINIMUM, format!("vector({})", objective.minimum)).labelled(&id));
        rules.push(Rule::record(VALID, objective.valid.clone()).labelled(&id));
        // Where nothing bad ever happened, there is no series of it: that is zero, and not unknown.
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
