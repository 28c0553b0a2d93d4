//! Alerts on the components of the observability stack.

use crate::promql::{FIVE_MINUTES, Origin, Series, events_in_window, sum_by};
use crate::stack::alert::Alert;

pub(super) fn alerts() -> Vec<Alert> {
    vec![down(), loss(), queue(), rules()]
}

fn down() -> Alert {
    Alert::warning("StackComponentDown", "stack_alerts")
        .below(1.0, "up{job=~\"otel-collector|prometheus|tempo|loki|grafana\"}")
        .lasting("2m")
        .annotated(
            "{{ $labels.job }} is down",
            "Scrapes of a component of the observability stack have failed for 2 minutes.",
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
        // An exporter has one signal, so at most two of these series: failed to send, failed to
        // enqueue.
        .above(10.0, format!("round({})", join(&failures)))
        .kept("5m")
        .annotated(
            "The Collector lost {count} items of {{ $labels.exporter }}",
            "The Collector could not deliver spans, metric points or log records, or its queue was full.",
        )
        .shown_on("system-health", "Collector queue")
}

/// Returns the sum by exporter of counters that are created by the first failure.
fn join(failures: &[String]) -> String {
    // A distinct label per operand keeps series with equal labels apart in the union.
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
        .annotated(
            "The Collector's queue of {{ $labels.exporter }} is {value} % full",
            "A backend accepts less than the Collector receives. When the queue is full, the Collector returns UNAVAILABLE.",
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
        .annotated(
            "{count} rules of {{ $labels.rule_group }} failed in 5 minutes",
            "Prometheus cannot evaluate rules. Alerts that depend on them do not fire.",
        )
        .shown_on("system-health", "Stack components up")
}
