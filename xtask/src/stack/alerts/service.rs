//! Alerts on the service itself: is it there, does it answer, does it run out of something.

use super::{Alert, Severity, Trouble};
use crate::promql::{INSTANCE, Series, sum_by};
use crate::stack::recordings::{DATABASE_ERRORS, HTTP_ERRORS, LOST_TELEMETRY};
use hub_otel::contract::attribute::SERVICE_NAME;
use hub_otel::contract::metric as m;

/// The alerts that would be delivered through the service that is in trouble: they take a second way as well.
pub const ESCALATED: [&str; 3] = ["ServiceDown", "HighErrorRate", "DatabaseErrors"];

pub(super) fn alerts() -> Vec<Alert> {
    vec![down(), errors(), database(), memory(), telemetry()]
}

fn down() -> Alert {
    let heartbeat = Series::of(&m::PROCESS_UPTIME).is("job", "commandcenter-hub/orchestration-service");
    let seen = |window: &str| format!("count by (service_name) (count_over_time({heartbeat}[{window}]))");
    // Pulled: the target's `up`. Pushed: a heartbeat of the last day that is not there now, unless the service is pulled
    // again. Neither is `absent()`, which would fire for ever in the other way.
    let pushed = format!(
        "0 * ({} unless on (service_name) {} unless on () up{{job=\"orchestration-service\"}})",
        seen("1d"),
        seen("30s")
    );
    Alert {
        name: "ServiceDown",
        uid: "service_down",
        group: "system_alerts",
        severity: Severity::Critical,
        query: format!("up{{job=\"orchestration-service\"}} or {pushed}"),
        trouble: Trouble::Below,
        threshold: Some(1.0),
        hold: "1m",
        keep: None,
        line: "{{ if $labels.instance }}{{ $labels.instance }}{{ else }}{{ $labels.service_name }}{{ end }} is down",
        description: "The service has not answered a scrape for a minute, or has stopped pushing its metrics.",
        panel: ("system-health", "Service up"),
    }
}

fn errors() -> Alert {
    Alert {
        name: "HighErrorRate",
        uid: "high_error_rate",
        group: "system_alerts",
        severity: Severity::Critical,
        query: HTTP_ERRORS.to_owned(),
        trouble: Trouble::Above,
        threshold: Some(50.0),
        hold: "2m",
        keep: None,
        line: "{count} responses with 5xx a minute on {{ $labels.service_name }}",
        description: "The service has answered more than 50 requests a minute with a 5xx status for 2 minutes.",
        panel: ("system-health", "5xx per minute"),
    }
}

fn database() -> Alert {
    Alert {
        name: "DatabaseErrors",
        uid: "database_errors",
        group: "system_alerts",
        severity: Severity::Critical,
        query: format!("round({DATABASE_ERRORS})"),
        trouble: Trouble::Above,
        threshold: Some(1.0),
        hold: "0s",
        keep: Some("2m"),
        line: "{count} database operations found no connection in 5 minutes on {{ $labels.service_name }}",
        description: "The connection to the database is lost: operations end with connection, pool_timeout or io.",
        panel: ("system-health", "Database latency p95 by operation"),
    }
}

fn memory() -> Alert {
    let [used, limit] = [&m::PROCESS_MEMORY_USAGE, &m::PROCESS_MEMORY_LIMIT]
        .map(|metric| sum_by(&[SERVICE_NAME, INSTANCE], Series::of(metric)));
    Alert {
        name: "HighMemoryUsage",
        uid: "high_memory_usage",
        group: "system_alerts",
        severity: Severity::Warning,
        query: format!("100 * {used} / {limit}"),
        trouble: Trouble::Above,
        threshold: Some(80.0),
        hold: "5m",
        keep: None,
        line: "{value} % of the memory limit in use on {{ $labels.service_name }} ({{ $labels.instance }})",
        description: "The process has used more than 80 % of the memory that it may use for 5 minutes.",
        panel: ("system-health", "Memory against its limit"),
    }
}

fn telemetry() -> Alert {
    Alert {
        name: "TelemetryLoss",
        uid: "telemetry_loss",
        group: "system_alerts",
        severity: Severity::Warning,
        query: format!("round({LOST_TELEMETRY})"),
        trouble: Trouble::Above,
        threshold: Some(10.0),
        hold: "1m",
        keep: Some("5m"),
        line: "{count} {{ $labels.signal }} lost in 5 minutes on {{ $labels.service_name }}",
        description: "The service's own ledger says that spans, log records or metric points were rejected, failed or dropped.",
        panel: ("system-health", "Exporter ledger: lost telemetry"),
    }
}
