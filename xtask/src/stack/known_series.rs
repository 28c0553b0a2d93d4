//! Series that expressions may use: those of the contract, of the stack's components and of the
//! recording rules.

use crate::docs::label_name;
use crate::promql::{CLUSTER, ENVIRONMENT, grouping};
use crate::stack::all_recordings;
use crate::stack::expression::KnownSeries;
use crate::stack::increments;
use crate::stack::{native, slo};
use hub_otel::semconv::metric::WORKFLOW_DURATION;
use hub_otel::semconv::{InstrumentKind, METRICS};

/// Series of the stack's components: name and labels, without `job` and `instance`.
pub const COMPONENTS: &[(&str, &[&str])] = &[
    ("up", &[]),
    ("process_start_time_seconds", &[]),
    (
        "target_info",
        &[
            "service_name",
            "service_namespace",
            "service_instance_id",
            "service_version",
            "deployment_environment_name",
            "cluster",
        ],
    ),
    ("prometheus_rule_evaluation_failures_total", &["rule_group"]),
    ("prometheus_rule_group_iterations_missed_total", &["rule_group"]),
    ("prometheus_notifications_dropped_total", &["alertmanager"]),
    ("prometheus_tsdb_wal_writes_failed_total", &[]),
    ("prometheus_tsdb_compactions_failed_total", &[]),
    ("prometheus_tsdb_storage_blocks_bytes", &[]),
    ("prometheus_tsdb_wal_storage_size_bytes", &[]),
    ("prometheus_tsdb_retention_limit_bytes", &[]),
    ("alertmanager_notifications_failed_total", &["integration", "reason"]),
    ("grafana_alerting_notifications_failed_total", &["integration"]),
    ("loki_discarded_samples_total", &["reason"]),
    ("loki_ingester_chunks_flush_failures_total", &[]),
    ("tempo_discarded_spans_total", &["reason"]),
    ("tempo_ingester_failed_flushes_total", &[]),
    ("tempo_live_store_local_failed_flushes_total", &[]),
    ("vl_rows_dropped_total", &["reason"]),
    ("vl_storage_is_read_only", &["path"]),
    ("otelcol_process_uptime_seconds_total", &[]),
    ("otelcol_exporter_queue_size", &["exporter", "data_type"]),
    ("otelcol_exporter_queue_capacity", &["exporter", "data_type"]),
    ("otelcol_exporter_send_failed_spans_total", &["exporter"]),
    ("otelcol_exporter_send_failed_metric_points_total", &["exporter"]),
    ("otelcol_exporter_send_failed_log_records_total", &["exporter"]),
    ("otelcol_exporter_enqueue_failed_spans_total", &["exporter"]),
    ("otelcol_exporter_enqueue_failed_metric_points_total", &["exporter"]),
    ("otelcol_exporter_enqueue_failed_log_records_total", &["exporter"]),
    // Of the connector span_metrics in scale-out/.
    (
        "traces_span_metrics_duration_seconds_bucket",
        &["service_name", "span_name", "span_kind", "status_code", "le"],
    ),
    (
        "traces_spanmetrics_latency_bucket",
        &["service", "span_name", "span_kind", "status_code", "source", "le"],
    ),
];

/// Labels of every series of a service.
const TARGET: [&str; 6] =
    ["service.name", "service.namespace", ENVIRONMENT, CLUSTER, "job", "instance"];

/// Returns all series that a dashboard or a rule may use.
#[must_use]
pub fn all() -> Vec<KnownSeries> {
    let mut known = Vec::new();
    for metric in METRICS {
        let parts: &[&str] = match metric.kind {
            InstrumentKind::Histogram => &["", "_bucket", "_sum", "_count"],
            InstrumentKind::Counter | InstrumentKind::UpDownCounter | InstrumentKind::Gauge => {
                &[""]
            }
        };
        for part in parts {
            let mut labels: Vec<String> =
                metric.labels.iter().map(|label| label_name(label)).collect();
            labels.extend(TARGET.map(label_name));
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
    for increment in increments::all() {
        let labels = grouping(increment.labels);
        known.push(KnownSeries { name: increment.name.to_owned(), labels });
        if let Some(native) = increment.native() {
            known.push(KnownSeries { name: native.name, labels: grouping(&native.labels) });
        }
    }
    let in_time = METRICS.iter().find(|metric| metric.name == WORKFLOW_DURATION.name);
    let in_time = in_time.map_or(&[] as &[_], |metric| metric.labels);
    let labels = in_time.iter().copied().chain(TARGET).map(label_name).collect();
    known.push(KnownSeries { name: native::IN_TIME.to_owned(), labels });
    for recording in all_recordings::all() {
        let labels = grouping(recording.labels);
        known.push(KnownSeries { name: recording.name.to_owned(), labels });
    }
    known.extend(
        slo::SERIES.iter().map(|(name, labels)| KnownSeries {
            name: (*name).to_owned(),
            labels: grouping(labels),
        }),
    );
    known
}
