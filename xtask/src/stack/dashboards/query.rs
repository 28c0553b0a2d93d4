//! Parts of PromQL and TraceQL queries that several dashboards share.

use crate::promql::Series;
use hub_otel::semconv::Metric;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, WORKFLOW_ID};

/// Selects the series of a metric that match the variables of the dashboard.
pub(super) fn selected(part: fn(&Metric) -> Series, metric: &Metric) -> Series {
    let series = part(metric).like(SERVICE_NAME, "$service");
    if metric.labels.contains(&WORKFLOW_ID) {
        series.like(WORKFLOW_ID, "$workflow")
    } else if metric.labels.contains(&AGENT_ID) {
        series.like(AGENT_ID, "$agent")
    } else {
        series
    }
}

/// Scales the events of one point of a graph to events per minute.
pub(super) fn per_minute(summed: &str) -> String {
    format!("{summed} * 60000 / $__rate_interval_ms")
}

/// Adds a zero for absent series, so that a panel of failures shows 0 instead of "no data".
pub(super) fn or_none(expression: &str, label: &str) -> String {
    format!("{expression} or on () label_replace(vector(0), \"{label}\", \"none\", \"\", \"\")")
}

/// Returns a TraceQL query for the spans with a name, of the selected services, with conditions.
pub(super) fn spans(name: &str, conditions: &str) -> String {
    format!(
        "{{ span:name = \"{name}\" && resource.service.name =~ \"${{service:pipe}}\"{conditions} }}"
    )
}

/// Returns a TraceQL condition: an attribute equals a label of the series.
pub(super) fn same(attribute: &str, label: &str) -> String {
    format!(" && span.{attribute} = \"${{__field.labels.{label}}}\"")
}

/// Returns a TraceQL condition: an attribute has one of the values of a variable.
pub(super) fn one_of(attribute: &str, variable: &str) -> String {
    format!(" && span.{attribute} =~ \"${{{variable}:pipe}}\"")
}
