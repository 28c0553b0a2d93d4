//! What was captured, held against the contract.

use crate::semconv::attribute::label;
use crate::semconv::{Kind, METRICS, Requirement, SPANS, Type, status};
use crate::testing::{Metrics, Series, Span, Spans};
use opentelemetry::Value;
use std::fmt;

/// Everything that is not as the contract says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(Vec<String>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Violations {}

pub(super) fn check(spans: &Spans, metrics: &Metrics) -> Result<(), Violations> {
    let mut wrong = Vec::new();
    for captured in spans {
        span(captured, &mut wrong);
    }
    for captured in metrics {
        series(captured, &mut wrong);
    }
    if wrong.is_empty() { Ok(()) } else { Err(Violations(wrong)) }
}

fn span(captured: &Span, wrong: &mut Vec<String>) {
    let name = &captured.name;
    for key in &captured.repeated {
        wrong.push(format!("span {name}: {key} is there twice"));
    }
    // Spans of the semantic conventions, and the user's own, follow rules of their own.
    let Some(contract) = SPANS.iter().find(|span| span.name == name) else { return };
    for attribute in contract.attributes {
        let fits = |value: &Value| match attribute.value {
            Type::String => matches!(value, Value::String(_)),
            Type::Int => matches!(value, Value::I64(_)),
            Type::Bool => matches!(value, Value::Bool(_)),
        };
        match (captured.attributes.get(attribute.key), attribute.when) {
            (Some(value), _) if !fits(value) => {
                wrong.push(format!(
                    "span {name}: {} is {value:?}, not of type {:?}",
                    attribute.key, attribute.value
                ));
            }
            (None, Requirement::Start | Requirement::End) => {
                wrong.push(format!("span {name}: {} is missing", attribute.key));
            }
            _ => {}
        }
    }
    for (key, value) in &captured.attributes {
        let closed: Option<&[&str]> = match &**key {
            crate::semconv::attribute::WORKFLOW_STATUS => Some(&SEGMENT),
            crate::semconv::attribute::AGENT_STATUS => Some(&status::TERMINAL),
            crate::semconv::attribute::WORKFLOW_APPROVAL_DECISION => Some(&status::DECISIONS),
            _ => None,
        };
        if closed.is_some_and(|closed| !closed.contains(&&*value.as_str())) {
            wrong.push(format!("span {name}: {key} is `{value}`, which is none of its values"));
        }
    }
}

const SEGMENT: [&str; 6] = {
    let [one, two, three, four, five] = status::TERMINAL;
    [one, two, three, four, five, status::SUSPENDED]
};

fn series(captured: &Series, wrong: &mut Vec<String>) {
    let name = &captured.name;
    let Some(contract) = METRICS.iter().find(|metric| metric.name == name) else { return };
    if captured.unit != contract.unit {
        wrong.push(format!(
            "metric {name}: its unit is `{}`, not `{}`",
            captured.unit, contract.unit
        ));
    }
    let kind = match contract.kind {
        Kind::Counter => "counter",
        Kind::UpDownCounter => "up_down_counter",
        Kind::Histogram => "histogram",
        Kind::Gauge => "gauge",
    };
    if captured.kind != kind {
        wrong.push(format!("metric {name}: it is a {}, not a {kind}", captured.kind));
    }
    if captured.kind == "histogram" && captured.bounds != contract.buckets {
        wrong.push(format!("metric {name}: its buckets are {:?}", captured.bounds));
    }
    if captured.labels.contains_key(label::OVERFLOW) {
        return;
    }
    // Units may add labels of their own; those of the semantic conventions are not all required.
    let own =
        contract.labels.contains(&label::WORKFLOW_ID) || contract.labels.contains(&label::AGENT_ID);
    for expected in contract.labels.iter().filter(|_| own) {
        if !captured.labels.contains_key(*expected) {
            wrong.push(format!("metric {name}: the label {expected} is missing"));
        }
    }
    for (key, closed) in
        [(label::STATUS, &status::TERMINAL[..]), (label::DECISION, &status::DECISIONS[..])]
    {
        if let Some(value) = captured.labels.get(key)
            && !closed.contains(&&**value)
        {
            wrong.push(format!("metric {name}: {key} is `{value}`, which is none of its values"));
        }
    }
    if captured.value < 0.0 {
        wrong.push(format!("metric {name}: {} is below zero", captured.value));
    }
}
