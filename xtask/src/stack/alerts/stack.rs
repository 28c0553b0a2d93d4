//! Alerts on the stack: who watches, must be watched.

use crate::promql::{FIVE_MINUTES, Origin, Series, events_in_window, sum_by};
use crate::stack::alert::Alert;

pub(super) fn alerts() -> Vec<Alert> {
    vec![down(), loss(), queue(), rules()]
}

fn down() -> Alert {
    Alert::warning("StackComponentDown", "stack_alerts")
        .below(1.0, "up{job=~\"otel-collector|prometheus|tempo|loki|grafana\"}")
        .lasting("2m")
        .says(
            "{{ $labels.job }} is down",
            "A component of the observability stack has not answered a scrape for 2 minutes.",
        )
        .shown_on("system-health", "Stack components up")
}

fn loss() -> Alert {
    let failures: Vec<String> = ["send_failed", "enqueue_failed"]
        .iter()
        .flat_map(|what| ["spans", "metric_points", "log_records"].map(|items| (what, items)))
        .map(|(what, items)| {
            events_in_window(
                &Series::own(&format!("otelcol_exporter_{what}_{items}_total"), Origin::Collector),
                FIVE_MINUTES,
            )
        })
        .map(|failed| sum_by(&["exporter"], failed))
        .collect();
    Alert::warning("CollectorLoss", "stack_alerts")
        // Each exporter carries one signal, so at most one of them is there for it twice: sending and queueing.
        .above(10.0, format!("round({})", join(&failures)))
        .kept("5m")
        .says(
            "The Collector lost {count} items on the way to {{ $labels.exporter }}",
            "The Collector gave up on spans, metric points or log records, or its queue was full.",
        )
        .shown_on("system-health", "Collector queue")
}

/// The sum by exporter of counters that exist only after the first failure.
fn join(failures: &[String]) -> String {
    // A tag keeps equal label sets apart in the union.
    let tagged: Vec<String> = failures
        .iter()
        .enumerate()
        .map(|(index, failed)| format!("label_replace({failed}, \"of\", \"{index}\", \"\", \"\")"))
        .collect();
    sum_by(&["exporter"], tagged.join(" or "))
}

fn queue() -> Alert {
    let [size, capacity] = ["otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"]
        .map(|name| sum_by(&["exporter"], Series::own(name, Origin::Collector)));
    Alert::warning("CollectorQueueFilling", "stack_alerts")
        .above(80.0, format!("100 * {size} / {capacity}"))
        .lasting("2m")
        .says(
            "The Collector's queue to {{ $labels.exporter }} is {value} % full",
            "A backend takes less than arrives: when the queue is full, the Collector answers UNAVAILABLE.",
        )
        .shown_on("system-health", "Collector queue")
}

fn rules() -> Alert {
    let failures = Series::own("prometheus_rule_evaluation_failures_total", Origin::Prometheus);
    Alert::warning("RuleEvaluationFailures", "stack_alerts")
        .above(
            2.0,
            format!(
                "round({})",
                sum_by(&["rule_group"], events_in_window(&failures, FIVE_MINUTES))
            ),
        )
        .kept("5m")
        .says(
            "{count} rules of {{ $labels.rule_group }} failed in 5 minutes",
            "Prometheus cannot evaluate rules: alerts that depend on them are blind.",
        )
        .shown_on("system-health", "Stack components up")
}
