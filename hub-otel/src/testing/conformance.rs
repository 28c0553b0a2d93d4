//! Check of what was captured against the semantic conventions of this library.

use crate::semconv::attribute::label;
use crate::semconv::{
    AttributeType, InstrumentKind, METRICS, RequirementLevel, SPANS, attribute, decision, status,
};
use crate::testing::metrics::{Metrics, Series};
use crate::testing::render::Spans;
use crate::testing::span::{Span, Value};
use std::collections::HashMap;
use std::fmt;

/// Violations that [`Capture::conformance`](crate::testing::Capture::conformance) found, one text
/// each.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// hub_otel::agent("scanner", "scan").run(async {}).await;
/// let violations = capture.conformance().unwrap_err();
/// assert_eq!(
///     violations.iter().collect::<Vec<_>>(),
///     ["span agent.execute: agent `scanner` runs outside a workflow"],
/// );
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(Vec<String>);

impl Violations {
    /// Returns the violations, spans first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Violations {}

pub(super) fn check(
    spans: &Spans,
    metrics: &Metrics,
    allow_root_agents: bool,
) -> Result<(), Violations> {
    let mut violations = Vec::new();
    for span in spans {
        check_span(span, &mut violations);
    }
    if !allow_root_agents {
        check_parents(spans, &mut violations);
    }
    for series in metrics {
        check_series(series, &mut violations);
    }
    if violations.is_empty() { Ok(()) } else { Err(Violations(violations)) }
}

/// Reports agents without a workflow above them. An agent whose line of parents ends at a span that
/// was not captured is accepted: the workflow can run in another process, or not have ended.
fn check_parents(spans: &Spans, violations: &mut Vec<String>) {
    let by_id: HashMap<&str, &Span> =
        spans.iter().map(|span| (span.span_id.as_str(), span)).collect();
    // By attribute, not by name: `span_name` renames the span of a unit.
    for agent in spans.iter().filter(|span| span.attributes.contains_key(attribute::AGENT_ID)) {
        let mut ancestor = agent;
        // Bounded, in case that parents form a circle.
        for _ in 0..spans.len() {
            if ancestor.attributes.contains_key(attribute::WORKFLOW_TRIGGER) {
                break;
            }
            if ancestor.parent_id.is_empty() {
                violations.push(format!(
                    "span {}: agent `{}` runs outside a workflow",
                    agent.name,
                    agent.text(attribute::AGENT_ID)
                ));
                break;
            }
            let Some(parent) = by_id.get(ancestor.parent_id.as_str()) else { break };
            ancestor = parent;
        }
    }
}

fn check_span(captured: &Span, violations: &mut Vec<String>) {
    let name = &captured.name;
    for key in &captured.repeated_keys {
        violations.push(format!("span {name}: {key} occurs more than once"));
    }
    // Spans of OpenTelemetry's conventions and the user's own spans are not checked here.
    let Some(contract) = SPANS.iter().find(|span| span.name == name) else { return };
    for attribute in contract.attributes {
        let fits = |value: &Value| match attribute.value {
            AttributeType::String => matches!(value, Value::String(_)),
            AttributeType::Int => matches!(value, Value::Int(_)),
            AttributeType::Double => matches!(value, Value::Float(_)),
            AttributeType::Bool => matches!(value, Value::Bool(_)),
            AttributeType::Strings => matches!(value, Value::Array(_)),
        };
        match (captured.attributes.get(attribute.key), attribute.when) {
            (Some(value), _) if !fits(value) => {
                violations.push(format!(
                    "span {name}: {} is {value:?}, not of type {:?}",
                    attribute.key, attribute.value
                ));
            }
            (None, RequirementLevel::Start | RequirementLevel::End) => {
                violations.push(format!("span {name}: {} is missing", attribute.key));
            }
            _ => {}
        }
    }
    for (key, value) in &captured.attributes {
        let closed: Option<&[&str]> = match &**key {
            crate::semconv::attribute::WORKFLOW_STATUS => Some(&SEGMENT),
            crate::semconv::attribute::AGENT_STATUS => Some(&status::TERMINAL),
            crate::semconv::attribute::WORKFLOW_APPROVAL_DECISION => Some(&decision::ALL),
            _ => None,
        };
        if closed.is_some_and(|closed| !closed.contains(&value.to_string().as_str())) {
            violations
                .push(format!("span {name}: {key} is `{value}`, which is not in its closed set"));
        }
    }
}

const SEGMENT: [&str; 6] = {
    let [one, two, three, four, five] = status::TERMINAL;
    [one, two, three, four, five, status::SUSPENDED]
};

fn check_series(captured: &Series, violations: &mut Vec<String>) {
    let name = &captured.name;
    let Some(contract) = METRICS.iter().find(|metric| metric.name == name) else { return };
    if captured.unit != contract.unit {
        violations.push(format!(
            "metric {name}: its unit is `{}`, not `{}`",
            captured.unit, contract.unit
        ));
    }
    let kind = match contract.kind {
        InstrumentKind::Counter => "counter",
        InstrumentKind::UpDownCounter => "up_down_counter",
        InstrumentKind::Histogram => "histogram",
        InstrumentKind::Gauge => "gauge",
    };
    if captured.kind != kind {
        violations.push(format!("metric {name}: its kind is {}, not {kind}", captured.kind));
    }
    if captured.kind == "histogram" && captured.bounds != contract.buckets {
        violations.push(format!("metric {name}: its buckets are {:?}", captured.bounds));
    }
    if captured.labels.contains_key(label::OVERFLOW) {
        return;
    }
    // All labels of a unit's metric are required. Of OpenTelemetry's conventions some labels are
    // optional.
    let of_unit =
        contract.labels.contains(&label::WORKFLOW_ID) || contract.labels.contains(&label::AGENT_ID);
    for expected in contract.labels.iter().filter(|_| of_unit) {
        if !captured.labels.contains_key(*expected) {
            violations.push(format!("metric {name}: the label {expected} is missing"));
        }
    }
    for (key, closed) in
        [(label::STATUS, &status::TERMINAL[..]), (label::DECISION, &decision::ALL[..])]
    {
        if let Some(value) = captured.labels.get(key)
            && !closed.contains(&&**value)
        {
            violations
                .push(format!("metric {name}: {key} is `{value}`, which is not in its closed set"));
        }
    }
    if captured.value < 0.0 {
        violations.push(format!("metric {name}: {} is negative", captured.value));
    }
}
