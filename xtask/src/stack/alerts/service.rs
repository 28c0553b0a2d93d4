//! Alerts on the availability and the resources of the service.

use crate::promql::{INSTANCE, Series, sum_by};
use crate::stack::alert::Alert;
use crate::stack::recordings::{DATABASE_ERRORS, HTTP_ERRORS, LOST_TELEMETRY};
use crate::stack::{adaptive, liveness};
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::metric as m;

/// Alerts that would be delivered through the affected service. They have an additional receiver.
pub const ESCALATED: [&str; 6] = [
    "ServiceDown",
    "ServiceRestarting",
    "HighErrorRate",
    "RouteFailing",
    "DatabaseErrors",
    "NotificationFailures",
];

pub(super) fn alerts() -> Vec<Alert> {
    vec![down(), restarts(), errors(), route(), database(), memory(), telemetry(), twice()]
}

fn down() -> Alert {
    Alert::critical("ServiceDown", "system_alerts")
        .below(1.0, liveness::down())
        .annotated(
            "{{ if $labels.service_name }}{{ $labels.service_name }} ({{ $labels.instance }}){{ else }}{{ $labels.instance }}{{ end }} is down",
            "The service could not be scraped for a minute, or in most of the last 5 minutes, or it stopped pushing its metrics 90 s ago without a shutdown.",
        )
        .of_no_service()
}

fn restarts() -> Alert {
    Alert::critical("ServiceRestarting", "system_alerts")
        .above(3.0, liveness::restarts())
        .annotated(
            "{{ $labels.service_name }} restarted {count} times in 30 minutes",
            "The process ended without a shutdown, or was started again, more than 3 times in 30 minutes.",
        )
}

fn route() -> Alert {
    Alert::critical("RouteFailing", adaptive::GROUP)
        .above(adaptive::HALF, adaptive::ROUTE)
        .lasting("1m")
        .annotated(
            "{value} % of the responses of {{ $labels.http_route }} are 5xx on {{ $labels.service_name }}",
            "Half or more of the responses of one route are 5xx, of at least 5 in 15 minutes, 1 hour or 12 hours.",
        )
        .unit("percent")
}

fn twice() -> Alert {
    let uptime = Series::of(&m::PROCESS_UPTIME);
    let scraped = "target_info{service_instance_id!=\"\"} and on (job, instance) up";
    Alert::warning("CountedTwice", "system_alerts")
        .above(
            0.5,
            format!(
                "count by (service_name) (label_join({scraped}, \"instance\", \"\", \"service_instance_id\") \
                 and on (instance) ({uptime} unless on (job, instance) up)) \
                 or 0 * count by (service_name) ({uptime})"
            ),
        )
        .lasting("2m")
        .annotated(
            "{{ $labels.service_name }} is scraped and pushes: its events are counted twice",
            "The same process is scraped by Prometheus and pushes its metrics, so that every sum is doubled.",
        )
}

fn errors() -> Alert {
    Alert::critical("HighErrorRate", "system_alerts")
        .above(50.0, HTTP_ERRORS)
        .lasting("2m")
        .annotated(
            "{count} responses with 5xx a minute on {{ $labels.service_name }}",
            "The service has returned more than 50 responses a minute with a 5xx status for 2 minutes.",
        )
}

fn database() -> Alert {
    Alert::critical("DatabaseErrors", "system_alerts")
        .above(1.0, format!("round({DATABASE_ERRORS})"))
        .kept("2m")
        .annotated(
            "{count} database operations without a connection in 5 minutes on {{ $labels.service_name }}",
            "The connection to the database is lost: at least 1 % of the operations fail with connection, pool_timeout or io.",
        )
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
        .unit("percent")
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
}
