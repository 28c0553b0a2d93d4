//! Alerts on the availability and the resources of the service.

use crate::promql::{INSTANCE, Series, sum_by};
use crate::stack::alert::Alert;
use crate::stack::recordings::{DATABASE_ERRORS, HTTP_ERRORS, LOST_TELEMETRY};
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::metric as m;

/// Alerts that would be delivered through the affected service. They have an additional receiver.
pub const ESCALATED: [&str; 3] = ["ServiceDown", "HighErrorRate", "DatabaseErrors"];

pub(super) fn alerts() -> Vec<Alert> {
    vec![down(), errors(), database(), memory(), telemetry()]
}

fn down() -> Alert {
    let heartbeat =
        Series::of(&m::PROCESS_UPTIME).is("job", "commandcenter-hub/orchestration-service");
    let pushed_within =
        |window: &str| format!("count by (service_name) (count_over_time({heartbeat}[{window}]))");
    // Scraped: `up` of the target. Pushed: an uptime within the last day but not within 30 s,
    // unless the service is scraped now. `absent()` would fire permanently for the way that is
    // not in use.
    let pushed = format!(
        "0 * ({} unless on (service_name) {} unless on () up{{job=\"orchestration-service\"}})",
        pushed_within("1d"),
        pushed_within("30s")
    );
    Alert::critical("ServiceDown", "system_alerts")
        .below(1.0, format!("up{{job=\"orchestration-service\"}} or {pushed}"))
        .lasting("1m")
        .annotated(
            "{{ if $labels.instance }}{{ $labels.instance }}{{ else }}{{ $labels.service_name }}{{ end }} is down",
            "Scrapes of the service have failed for a minute, or the service has stopped pushing its metrics.",
        )
        .shown_on("system-health", "Service up")
}

fn errors() -> Alert {
    Alert::critical("HighErrorRate", "system_alerts")
        .above(50.0, HTTP_ERRORS)
        .lasting("2m")
        .annotated(
            "{count} responses with 5xx a minute on {{ $labels.service_name }}",
            "The service has returned more than 50 responses a minute with a 5xx status for 2 minutes.",
        )
        .shown_on("system-health", "5xx per minute")
}

fn database() -> Alert {
    Alert::critical("DatabaseErrors", "system_alerts")
        .above(1.0, format!("round({DATABASE_ERRORS})"))
        .kept("2m")
        .annotated(
            "{count} database operations without a connection in 5 minutes on {{ $labels.service_name }}",
            "The connection to the database is lost: operations fail with connection, pool_timeout or io.",
        )
        .shown_on("system-health", "Database latency p95 by operation")
}

fn memory() -> Alert {
    let [used, limit] = [&m::PROCESS_MEMORY_USAGE, &m::PROCESS_MEMORY_LIMIT]
        .map(|metric| sum_by(&[SERVICE_NAME, INSTANCE], Series::of(metric)));
    Alert::warning("HighMemoryUsage", "system_alerts")
        .above(80.0, format!("100 * {used} / {limit}"))
        .lasting("5m")
        .annotated(
            "{value} % of the memory limit in use on {{ $labels.service_name }} ({{ $labels.instance }})",
            "The process has used more than 80 % of its memory limit for 5 minutes.",
        )
        .shown_on("system-health", "Memory against its limit")
}

fn telemetry() -> Alert {
    Alert::warning("TelemetryLoss", "system_alerts")
        .above(10.0, format!("round({LOST_TELEMETRY})"))
        .lasting("1m")
        .kept("5m")
        .annotated(
            "{count} {{ $labels.signal }} lost in 5 minutes on {{ $labels.service_name }}",
            "The service reports that spans, log records or metric points were rejected, failed or dropped.",
        )
        .shown_on("system-health", "Exporter ledger: lost telemetry")
}
