//! Alerts on the stack: who watches, must be watched.

use super::{Alert, Severity, Trouble};
use crate::promql::{FIVE_MINUTES, Origin, Series, seen, sum_by};

pub(super) fn alerts() -> Vec<Alert> {
    vec![down(), loss(), queue(), rules()]
}

fn down() -> Alert {
    Alert {
        name: "StackComponentDown",
        uid: "stack_component_down",
        group: "stack_alerts",
        severity: Severity::Warning,
        query: "up{job=~\"otel-collector|prometheus|tempo|loki|grafana\"}".to_owned(),
        trouble: Trouble::Below,
        threshold: Some(1.0),
        hold: "2m",
        keep: None,
        line: "{{ $labels.job }} is down",
        description: "A component of the observability stack has not answered a scrape for 2 minutes.",
        panel: ("system-health", "Stack components up"),
    }
}

fn loss() -> Alert {
    let failures: Vec<String> = ["send_failed", "enqueue_failed"]
        .iter()
        .flat_map(|what| ["spans", "metric_points", "log_records"].map(|items| (what, items)))
        .map(|(what, items)| {
            seen(
                &Series::own(&format!("otelcol_exporter_{what}_{items}_total"), Origin::Collector),
                FIVE_MINUTES,
            )
        })
        .map(|failed| sum_by(&["exporter"], failed))
        .collect();
    Alert {
        name: "CollectorLoss",
        uid: "collector_loss",
        group: "stack_alerts",
        severity: Severity::Warning,
        // Each exporter carries one signal, so at most one of them is there for it twice: sending and queueing.
        query: format!("round({})", join(&failures)),
        trouble: Trouble::Above,
        threshold: Some(10.0),
        hold: "0s",
        keep: Some("5m"),
        line: "The Collector lost {count} items on the way to {{ $labels.exporter }}",
        description: "The Collector gave up on spans, metric points or log records, or its queue was full.",
        panel: ("system-health", "Collector queue"),
    }
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
    Alert {
        name: "CollectorQueueFilling",
        uid: "collector_queue_filling",
        group: "stack_alerts",
        severity: Severity::Warning,
        query: format!("100 * {size} / {capacity}"),
        trouble: Trouble::Above,
        threshold: Some(80.0),
        hold: "2m",
        keep: None,
        line: "The Collector's queue to {{ $labels.exporter }} is {value} % full",
        description: "A backend takes less than arrives: when the queue is full, the Collector answers UNAVAILABLE.",
        panel: ("system-health", "Collector queue"),
    }
}

fn rules() -> Alert {
    let failures = Series::own("prometheus_rule_evaluation_failures_total", Origin::Prometheus);
    Alert {
        name: "RuleEvaluationFailures",
        uid: "rule_evaluation_failures",
        group: "stack_alerts",
        severity: Severity::Warning,
        query: format!("round({})", sum_by(&["rule_group"], seen(&failures, FIVE_MINUTES))),
        trouble: Trouble::Above,
        threshold: Some(2.0),
        hold: "0s",
        keep: Some("5m"),
        line: "{count} rules of {{ $labels.rule_group }} failed in 5 minutes",
        description: "Prometheus cannot evaluate rules: alerts that depend on them are blind.",
        panel: ("system-health", "Stack components up"),
    }
}
