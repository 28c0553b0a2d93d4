//! Failure ratios over windows that adapt to the traffic: the shortest of 15 minutes, one hour and
//! twelve hours in which enough events ended. An hourly job is seen as well as a busy route.
//!
//! The ratios of an hour and of twelve hours are measured only while a failure is new, and kept
//! until the next measurement: without new failures an alert that has ended would fire again when a
//! longer window with the old failures takes over. A ratio of an hour below the threshold always
//! counts, and the kept ratio becomes 0 once three hours had successes and no failure. A job that
//! alternates between both has a failure in each three hours and does not flap.

use crate::promql::{Series, sum_by};
use crate::stack::increments::{self, counted, recorded};
use crate::stack::recordings::{ALERT_AGENT, ALERT_WORKFLOW, FAILURES, NEUTRAL, Recording};
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, STATUS, WORKFLOW_ID};
use opentelemetry_semantic_conventions::attribute as s;

/// Percentage of the runs of a workflow that failed.
pub const WORKFLOW: &str = "workflow:failures:percent";
/// Percentage of the executions of an agent that failed.
pub const AGENT: &str = "agent:failures:percent";
/// Percentage of the responses of a route that are 5xx.
pub const ROUTE: &str = "http_server:failures:percent";
/// Runs of the last 26 hours of a workflow, if all of them failed and [`WORKFLOW`] has no value.
pub const ONLY_FAILURES: &str = "workflow:only_failures:increase26h";

/// Rule group and file.
pub const GROUP: &str = "failing_alerts";

/// Threshold of the percentages: half or more. A job that alternates between failure and success
/// has at least 50 % after each failure, so that it does not cross the threshold back and forth.
pub const HALF: f64 = 49.0;

/// Events of which the share of failures is recorded.
struct Share {
    /// Name of the recorded percentage.
    name: &'static str,
    /// Name of the recorded measurements of the percentage.
    measured: &'static str,
    labels: &'static [&'static str],
    /// Least number of events in a window.
    minimum: u32,
    bad: Series,
    all: Series,
}

pub(super) fn recordings() -> Vec<Recording> {
    let runs = recorded(increments::RUNS).not(WORKFLOW_ID, ALERT_WORKFLOW);
    let executions = recorded(increments::AGENT_RUNS).not(AGENT_ID, ALERT_AGENT);
    let requests = recorded(increments::REQUESTS);
    let workflows = Share {
        name: WORKFLOW,
        measured: "workflow:failures:percent_measured",
        labels: &[SERVICE_NAME, WORKFLOW_ID],
        minimum: 3,
        bad: runs.clone().like(STATUS, FAILURES),
        all: runs.unlike(STATUS, NEUTRAL),
    };
    let agents = Share {
        name: AGENT,
        measured: "agent:failures:percent_measured",
        labels: &[SERVICE_NAME, AGENT_ID],
        minimum: 5,
        bad: executions.clone().like(STATUS, FAILURES),
        all: executions.unlike(STATUS, NEUTRAL),
    };
    let routes = Share {
        name: ROUTE,
        measured: "http_server:failures:percent_measured",
        labels: &[SERVICE_NAME, s::HTTP_ROUTE],
        minimum: 5,
        bad: requests.clone().like(s::HTTP_RESPONSE_STATUS_CODE, "5.."),
        all: requests,
    };
    let only_failures = workflows.only_failures();
    let mut all: Vec<Recording> =
        [workflows, agents, routes].iter().flat_map(Share::recordings).collect();
    all.push(only_failures);
    all
}

impl Share {
    /// Returns the rules of the measurements and of the percentage, in order of evaluation.
    fn recordings(&self) -> [Recording; 2] {
        [
            self.recording(self.measured, self.measurement()),
            self.recording(self.name, format!("last_over_time({}[12h])", self.measured)),
        ]
    }

    fn recording(&self, name: &'static str, expression: String) -> Recording {
        Recording { name, group: GROUP, labels: self.labels, expression }
    }

    /// Returns the percentage where it is measured at this time.
    fn measurement(&self) -> String {
        let hour = self.percent("1h");
        format!(
            "{} or ({hour} or {}) and {} > 0 or {hour} < {HALF} or 0 * ({} > 0 unless {} > 0)",
            self.percent("15m"),
            self.percent("12h"),
            self.failures("5m"),
            self.events("3h"),
            self.failures("3h"),
        )
    }

    fn percent(&self, window: &str) -> String {
        let (failures, events) = (self.failures(window), self.events(window));
        format!("100 * {failures} / ({events} >= {})", self.minimum)
    }

    /// Returns the rule of the failures of events that are too rare for the percentage. A daily job
    /// has an event in each window of a day and a margin.
    fn only_failures(&self) -> Recording {
        let (failures, events) = (self.failures("26h"), self.events("26h"));
        self.recording(ONLY_FAILURES, format!("{failures} == {events} unless {}", self.name))
    }

    fn failures(&self, window: &str) -> String {
        sum_by(self.labels, counted(&self.bad, window))
    }

    fn events(&self, window: &str) -> String {
        sum_by(self.labels, counted(&self.all, window))
    }
}
