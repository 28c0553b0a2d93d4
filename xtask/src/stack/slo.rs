//! Service-level objectives and their recording rules.
//!
//! Good and bad events are counted exactly per minute. A budget over 30 days is the sum of 43,200
//! recorded values instead of a range query over millions of samples.

use crate::promql::{LE, Series, events_per_minute, sum_by};
use crate::stack::native;
use crate::stack::recordings::{ALERT_AGENT, ALERT_WORKFLOW, FAILURES, NEUTRAL, server_errors};
use crate::stack::rule::Rule;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, STATUS, WORKFLOW_ID};
use hub_otel::semconv::metric as m;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A service-level objective.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Value of the label `slo`.
    pub id: &'static str,
    /// Display name.
    pub title: String,
    /// Required ratio of good events.
    pub target: f64,
    /// Window of the objective.
    pub window: String,
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
/// Lower of the burn rates over 6 hours and over 3 days.
pub const BURN_LONG: &str = "slo:burn_rate:long";
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

/// Series recorded by the rules, with their labels.
pub const SERIES: &[(&str, &[&str])] = &[
    (BAD, &["service_name", "slo"]),
    (VALID, &["service_name", "slo"]),
    (BUDGET, &["slo"]),
    (MINIMUM, &["slo"]),
    (TARGET, &["slo", "title", "window"]),
    ("slo:error:ratio_5m", &["service_name", "slo"]),
    ("slo:error:ratio_30m", &["service_name", "slo"]),
    ("slo:error:ratio_1h", &["service_name", "slo"]),
    ("slo:error:ratio_6h", &["service_name", "slo"]),
    ("slo:error:ratio_3d", &["service_name", "slo"]),
    (BURN_FAST, &["service_name", "slo"]),
    (BURN_SLOW, &["service_name", "slo"]),
    (BURN_LONG, &["service_name", "slo"]),
    (ACHIEVED, &["service_name", "slo"]),
    (REMAINING, &["service_name", "slo"]),
];

/// Returns the objectives of the stack.
#[must_use]
pub fn objectives() -> Vec<Objective> {
    let runs = || Series::of(&m::WORKFLOW_RUNS).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let agents = || Series::of(&m::AGENT_RUNS).not(AGENT_ID, ALERT_AGENT);
    let ended = |series: Series| series.not(WORKFLOW_ID, ALERT_WORKFLOW).unlike(STATUS, NEUTRAL);
    let sum = |events: String| sum_by(&[SERVICE_NAME], events);
    let minute = |series: Series| sum(events_per_minute(&series));
    let finished = minute(ended(Series::count(&m::WORKFLOW_DURATION)));
    // The bound is "120000" in scraped metrics and "120000.0" in pushed metrics.
    let classic = ended(Series::buckets(&m::WORKFLOW_DURATION)).like(LE, "120000([.]0)?");
    let in_time = sum(format!(
        "{} or {}",
        events_per_minute(&classic),
        events_per_minute(&ended(native::in_time()))
    ));
    let objective = |id: &'static str, bad, valid| {
        let Setting { title, target, window, minimum } = setting(id);
        Objective { id, title, target, window, minimum, bad, valid }
    };
    vec![
        objective(
            "workflow-success",
            minute(runs().like(STATUS, FAILURES)),
            minute(runs().unlike(STATUS, NEUTRAL)),
        ),
        objective(
            "api-availability",
            minute(server_errors()),
            minute(Series::count(&m::HTTP_SERVER_REQUEST_DURATION)),
        ),
        objective("workflow-duration", format!("{finished} - {in_time}"), finished),
        objective(
            "agent-success",
            minute(agents().like(STATUS, FAILURES)),
            minute(agents().unlike(STATUS, NEUTRAL)),
        ),
    ]
}

/// Editable part of an objective.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    title: String,
    target: f64,
    window: String,
    minimum: u32,
}

/// Returns the settings of an objective in `observability/objectives.yaml`.
///
/// # Panics
///
/// If the file is invalid or lacks the objective: it is part of this program.
#[expect(clippy::panic, reason = "a developer's tool: the message names what to correct")]
fn setting(id: &str) -> Setting {
    let all: BTreeMap<String, Setting> =
        serde_yaml_ng::from_str(include_str!("../../../observability/objectives.yaml"))
            .unwrap_or_else(|error| panic!("observability/objectives.yaml: {error}"));
    let setting = all.get(id).unwrap_or_else(|| panic!("objectives.yaml lacks `{id}`"));
    assert!(setting.target > 0.0 && setting.target < 1.0, "{id}: a target between 0 and 1");
    setting.clone()
}

/// Returns the recording rules of all objectives.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let objectives = objectives();
    let mut rules = Vec::new();
    for objective in &objectives {
        let id = [("slo", objective.id)];
        let budget = 1.0 - objective.target;
        rules.push(
            Rule::record(TARGET, format!("vector({})", objective.target))
                .labelled(&id)
                .labelled(&[("title", &objective.title), ("window", &objective.window)]),
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
    for window in ["5m", "30m", "1h", "6h", "3d"] {
        rules.push(Rule::record(
            format!("slo:error:ratio_{window}"),
            format!("sum_over_time({BAD}[{window}]) / (sum_over_time({VALID}[{window}]) > 0)"),
        ));
    }
    // One failure of few runs would use up the budget of days.
    for (name, short, long, minimum) in [
        (BURN_FAST, "5m", "1h", MINIMUM.to_owned()),
        (BURN_SLOW, "30m", "6h", MINIMUM.to_owned()),
        (BURN_LONG, "6h", "3d", format!("(10 * {MINIMUM})")),
    ] {
        let [short, at_length] = [short, long].map(|window| format!("slo:error:ratio_{window}"));
        rules.push(Rule::record(
            name,
            format!(
                "((({short} < {at_length} or {at_length}) and {short}) / on (slo) group_left () {BUDGET}) \
                 and (sum_over_time({VALID}[{long}]) >= on (slo) group_left () {minimum})"
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
