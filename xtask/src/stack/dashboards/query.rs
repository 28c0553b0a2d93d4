//! Parts of PromQL and TraceQL queries that several dashboards share.

use crate::promql::Series;
use hub_otel::semconv::Metric;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, WORKFLOW_ID};

/// The part of a metric's series that the variables of the dashboard select.
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

/// Events per minute: `events_in_window` over one point of a graph, scaled.
pub(super) fn per_minute(summed: &str) -> String {
    format!("{summed} * 60000 / $__rate_interval_ms")
}

/// Zero where there is no series yet: a panel of failures says 0, and not "no data".
pub(super) fn or_none(expression: &str, label: &str) -> String {
    format!("{expression} or on () label_replace(vector(0), \"{label}\", \"none\", \"\", \"\")")
}

/// TraceQL for the spans of this name, of the selected services, with these conditions.
pub(super) fn spans(name: &str, conditions: &str) -> String {
    format!(
        "{{ span:name = \"{name}\" && resource.service.name =~ \"${{service:pipe}}\"{conditions} }}"
    )
}

/// A condition of TraceQL: this attribute equals the series' label.
pub(super) fn same(attribute: &str, label: &str) -> String {
    format!(" && span.{attribute} = \"${{__field.labels.{label}}}\"")
}

/// A condition of TraceQL: this attribute is one of the variable's values.
pub(super) fn one_of(attribute: &str, variable: &str) -> String {
    format!(" && span.{attribute} =~ \"${{{variable}:pipe}}\"")
}
