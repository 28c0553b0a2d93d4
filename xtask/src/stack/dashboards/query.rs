//! Parts of PromQL and TraceQL queries that several dashboards share.

use crate::promql::{CLUSTER, ENVIRONMENT, Series, sum_by};
use crate::stack::increments::{self, counted};
use hub_otel::semconv::Metric;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{AGENT_ID, WORKFLOW_ID};

/// Selects the series of a metric that match the variables of the dashboard.
pub(super) fn selected(part: fn(&Metric) -> Series, metric: &Metric) -> Series {
    matching(part(metric), metric.labels)
}

/// Selects a recorded increment by the variables of the dashboard.
pub(super) fn increment(name: &str) -> Series {
    let all = increments::all();
    let labels = all.iter().find(|it| it.name == name).map_or(&[] as &[&str], |it| it.labels);
    matching(increments::recorded(name), labels)
}

/// Selects the series of the services, environments and clusters of the dashboard.
pub(super) fn of_service(series: Series) -> Series {
    series
        .like(SERVICE_NAME, "$service")
        .like(ENVIRONMENT, "$environment")
        .like(CLUSTER, "$cluster")
}

fn matching(series: Series, labels: &[&str]) -> Series {
    [(WORKFLOW_ID, "$workflow"), (AGENT_ID, "$agent")]
        .into_iter()
        .filter(|(label, _)| labels.contains(label))
        .fold(of_service(series), |series, (label, values)| series.like(label, values))
}

/// Returns the number of events in the time range of the dashboard, by labels.
pub(super) fn total(labels: &[&str], series: &Series) -> String {
    sum_by(labels, counted(series, "$__range"))
}

/// Returns the events per minute at each point of a graph, by labels. The points do not overlap.
pub(super) fn per_minute(labels: &[&str], series: &Series) -> String {
    format!("{} * 60 / $__interval", sum_by(labels, counted(series, "$__interval")))
}

/// Returns a quantile at each point of a graph, by labels.
pub(super) fn quantile_at(q: f64, labels: &[&str], buckets: &Series) -> String {
    increments::quantile(q, labels, buckets, "$__interval")
}

/// Returns a quantile over the time range of the dashboard, by labels.
pub(super) fn quantile_of_range(q: f64, labels: &[&str], buckets: &Series) -> String {
    increments::quantile(q, labels, buckets, "$__range")
}

/// A LogQL query of warnings and errors. Loki requires a matcher that excludes the empty value.
pub(super) const WARNINGS: &str = "{service_name=~\".+\", service_name=~\"$service\", deployment_environment_name=~\"$environment\"} | severity_number >= 13";

/// Adds a zero for absent series, so that a panel of failures shows 0 instead of "no data".
pub(super) fn or_none(expression: &str, label: &str) -> String {
    format!("{expression} or on () label_replace(vector(0), \"{label}\", \"none\", \"\", \"\")")
}

/// Adds a zero for an absent series.
pub(super) fn or_zero(expression: &str) -> String {
    format!("{expression} or on () vector(0)")
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
