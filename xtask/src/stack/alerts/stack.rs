//! Alerts on the components of the observability stack.

use crate::promql::{FIFTEEN_MINUTES, FIVE_MINUTES, JOB, Origin, Series, events_in_window, sum_by};
use crate::stack::alert::Alert;
use crate::stack::recordings::{ALERT_WORKFLOW, FAILURES};
use hub_otel::semconv::attribute::label::{STATUS, WORKFLOW_ID};
use hub_otel::semconv::metric as m;

pub(super) fn alerts() -> Vec<Alert> {
    vec![watchdog(), down(), loss(), queue(), rules(), notifications(), stores(), disk()]
        .into_iter()
        .map(Alert::of_no_service)
        .collect()
}

fn watchdog() -> Alert {
    Alert::always("Watchdog", "stack_alerts")
        .above(0.5, "label_replace(vector(1), \"stack\", \"hub-otel\", \"\", \"\")")
        // Without Prometheus it must end, and with it the heartbeat.
        .if_the_query_fails("OK")
        .annotated(
            "Alerts are evaluated and delivered",
            "Fires always. A receiver outside of the stack raises the alarm when these notifications end.",
        )
}

fn down() -> Alert {
    Alert::warning("StackComponentDown", "stack_alerts")
        .below(1.0, "up{job=~\"otel-collector|prometheus|tempo|loki|grafana|alertmanager|jaeger|victorialogs\"}")
        .lasting("2m")
        .annotated(
            "{{ $labels.job }} is down",
            "Scrapes of a component of the observability stack have failed for 2 minutes.",
        )
        // Without Prometheus no scrape fails: Grafana reports the failed query.
        .if_the_query_fails("Alerting")
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
        .above(10.0, format!("round({})", tagged_sum("exporter", &failures)))
        .kept("5m")
        .annotated(
            "The Collector lost {count} items of {{ $labels.exporter }}",
            "The Collector could not deliver spans, metric points or log records, or its queue was full.",
        )
}

/// Returns the sum by a label of counters that are created by the first failure.
fn tagged_sum(by: &str, failures: &[String]) -> String {
    // A distinct label per operand keeps series with equal labels apart in the union.
    let tagged: Vec<String> = failures
        .iter()
        .enumerate()
        .map(|(index, failed)| format!("label_replace({failed}, \"of\", \"{index}\", \"\", \"\")"))
        .collect();
    sum_by(&[by], tagged.join(" or "))
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
        .unit("percent")
}

fn rules() -> Alert {
    let failures = [
        "prometheus_rule_evaluation_failures_total",
        "prometheus_rule_group_iterations_missed_total",
    ]
    .map(|name| {
        let events = events_in_window(&Series::own(name, Origin::Prometheus), FIVE_MINUTES);
        sum_by(&["rule_group"], events)
    });
    Alert::warning("RuleEvaluationFailures", "stack_alerts")
        .above(2.0, format!("round({})", tagged_sum("rule_group", &failures)))
        .kept("5m")
        .annotated(
            "{count} evaluations of {{ $labels.rule_group }} failed or were missed in 5 minutes",
            "Prometheus cannot evaluate rules, or not in time. Alerts that depend on them do not fire.",
        )
}

fn notifications() -> Alert {
    // Alertmanager, Grafana's Alertmanager, the queue of Prometheus, and the workflow that
    // delivers.
    let failed = [
        "alertmanager_notifications_failed_total",
        "grafana_alerting_notifications_failed_total",
        "prometheus_notifications_dropped_total",
    ]
    .map(|name| {
        sum_by(&[JOB], events_in_window(&Series::own(name, Origin::Prometheus), FIFTEEN_MINUTES))
    });
    let workflow =
        Series::of(&m::WORKFLOW_RUNS).is(WORKFLOW_ID, ALERT_WORKFLOW).like(STATUS, FAILURES);
    let workflow = sum_by(&[JOB], events_in_window(&workflow, FIFTEEN_MINUTES));
    let failed = failed.into_iter().chain([workflow]).collect::<Vec<_>>();
    Alert::critical("NotificationFailures", "stack_alerts")
        .above(0.5, format!("round({})", tagged_sum("job", &failed)))
        .kept("15m")
        .annotated(
            "{count} notifications of {{ $labels.job }} were not delivered in 15 minutes",
            "A receiver rejects notifications or cannot be reached: alerts fire and no person is notified.",
        )
}

fn stores() -> Alert {
    let lost = [
        "loki_discarded_samples_total",
        "loki_ingester_chunks_flush_failures_total",
        "tempo_discarded_spans_total",
        // Tempo 3, and Tempo 2.
        "tempo_live_store_local_failed_flushes_total",
        "tempo_ingester_failed_flushes_total",
        "vl_rows_dropped_total",
        "prometheus_tsdb_wal_writes_failed_total",
        "prometheus_tsdb_compactions_failed_total",
    ]
    .map(|name| {
        sum_by(&[JOB], events_in_window(&Series::own(name, Origin::Prometheus), FIFTEEN_MINUTES))
    });
    // VictoriaLogs rejects all records when its disk is full.
    let read_only = sum_by(&[JOB], "vl_storage_is_read_only".to_owned());
    let lost: Vec<String> = lost.into_iter().chain([read_only]).collect();
    Alert::warning("StoreLoss", "stack_alerts")
        .above(0.5, format!("round({})", tagged_sum("job", &lost)))
        .kept("15m")
        .annotated(
            "{{ $labels.job }} discarded {count} items in 15 minutes or failed to write them",
            "A store rejects data by its limits, or cannot write it, for example because its disk is full.",
        )
}

fn disk() -> Alert {
    Alert::warning("PrometheusDiskFilling", "stack_alerts")
        .above(
            90.0,
            "100 * (prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes) \
             / (prometheus_tsdb_retention_limit_bytes > 0)",
        )
        .lasting("10m")
        .annotated(
            "The metrics use {value} % of their disk space",
            "Prometheus is about to delete the oldest metrics before the end of their retention, and objectives over 30 days lose their first days.",
        )
        .unit("percent")
}
