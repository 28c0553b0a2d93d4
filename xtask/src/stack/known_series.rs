//! Series that expressions may use: those of the contract, of the stack's components and of the
//! recording rules.

use crate::docs::label_name;
use crate::stack::expression::KnownSeries;
use crate::stack::recordings;
use crate::stack::slo;
use hub_otel::semconv::{InstrumentKind, METRICS};

/// Series of the stack's components: name and labels, without `job` and `instance`.
pub const COMPONENTS: &[(&str, &[&str])] = &[
    ("up", &[]),
    ("process_start_time_seconds", &[]),
    ("prometheus_rule_evaluation_failures_total", &["rule_group"]),
    ("otelcol_process_uptime_seconds_total", &[]),
    ("otelcol_exporter_queue_size", &["exporter", "data_type"]),
    ("otelcol_exporter_queue_capacity", &["exporter", "data_type"]),
    ("otelcol_exporter_send_failed_spans_total", &["exporter"]),
    ("otelcol_exporter_send_failed_metric_points_total", &["exporter"]),
    ("otelcol_exporter_send_failed_log_records_total", &["exporter"]),
    ("otelcol_exporter_enqueue_failed_spans_total", &["exporter"]),
    ("otelcol_exporter_enqueue_failed_metric_points_total", &["exporter"]),
    ("otelcol_exporter_enqueue_failed_log_records_total", &["exporter"]),
    (
        "traces_spanmetrics_latency_bucket",
        &["service", "span_name", "span_kind", "status_code", "source", "le"],
    ),
];

/// Returns all series that a dashboard or a rule may use.
#[must_use]
pub fn all() -> Vec<KnownSeries> {
    let mut known = Vec::new();
    for metric in METRICS {
        let parts: &[&str] = match metric.kind {
            InstrumentKind::Histogram => &["_bucket", "_sum", "_count"],
            InstrumentKind::Counter | InstrumentKind::UpDownCounter | InstrumentKind::Gauge => {
                &[""]
            }
        };
        for part in parts {
            let mut labels: Vec<String> =
                metric.labels.iter().map(|label| label_name(label)).collect();
            labels
                .extend(["service_name", "service_namespace", "job", "instance"].map(String::from));
            if *part == "_bucket" {
                labels.push("le".to_owned());
            }
            known.push(KnownSeries { name: format!("{}{part}", metric.prometheus), labels });
        }
    }
    for (name, labels) in COMPONENTS {
        let labels =
            labels.iter().chain(&["job", "instance"]).map(|label| (*label).to_owned()).collect();
        known.push(KnownSeries { name: (*name).to_owned(), labels });
    }
    for recording in recordings::all() {
        let labels = recording.labels.iter().map(|label| label_name(label)).collect();
        known.push(KnownSeries { name: recording.name.to_owned(), labels });
    }
    known.extend(slo::SERIES.iter().map(|(name, labels)| KnownSeries {
        name: (*name).to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    }));
    known
}
