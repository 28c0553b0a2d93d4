//! Dashboard System Health: the service's availability and resources, and the observability stack.

use super::query::{or_none, per_minute, same, selected};
use crate::promql::{
    INSTANCE, JOB, Origin, POINT, SHOWN, Series, events_in_window, quantile, sum_by,
};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::recordings::server_errors;
use hub_otel::semconv::attribute::SERVICE_NAME;
use hub_otel::semconv::attribute::label::{RESULT, SIGNAL};
use hub_otel::semconv::metric as m;
use opentelemetry_semantic_conventions::attribute as s;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "system-health",
        title: "System Health",
        description: "Availability and resources of the service, and delivery of its telemetry.",
        from: "now-1h",
        variables: &["service"],
        panels: vec![
            up(),
            lost(),
            requests(),
            components(),
            api(),
            database(),
            errors(),
            memory(),
            lag(),
            processor(),
            runtime(),
            ledger(),
            queue(),
        ],
    }
}

fn up() -> Panel {
    let uptime = Series::of(&m::PROCESS_UPTIME).like(SERVICE_NAME, "$service");
    Panel::number("Service up", "s")
        .about("Uptime of the process. Empty if the service is neither scraped nor pushes.")
        .query(Mode::Instant, format!("max by (service_name) ({uptime})"), "{{service_name}}")
}

fn lost() -> Panel {
    let lost = events_in_window(&selected(Series::of, &m::EXPORT_ITEMS).not(RESULT, "ok"), SHOWN);
    Panel::number("Telemetry lost", "short")
        .about(
            "Spans, log records and metric points that were rejected, failed or dropped in the time range.",
        )
        .query(Mode::Instant, or_none(&sum_by(&[SIGNAL], lost), SIGNAL), "{{signal}}")
        .steps(GREEN, &[(RED, 1.0)])
        .decimals(0)
}

fn requests() -> Panel {
    Panel::number("Active HTTP requests", "short").about("HTTP requests in flight.").query(
        Mode::Instant,
        sum_by(&[], selected(Series::of, &m::HTTP_SERVER_ACTIVE_REQUESTS)),
        "active",
    )
}

fn components() -> Panel {
    let up = Series::own("up", Origin::Prometheus).unlike(JOB, "orchestration-service");
    Panel::number("Stack components up", "short")
        .about("1 if the last scrape of a component of the stack succeeded, otherwise 0.")
        .query(Mode::Instant, format!("min by (job) ({up})"), "{{job}}")
        .steps(RED, &[(GREEN, 1.0)])
}

fn api() -> Panel {
    let requests = selected(Series::buckets, &m::HTTP_SERVER_REQUEST_DURATION);
    Panel::lines("API p95 by route", "s")
        .about("95th percentile of the duration of HTTP requests.")
        .query(Mode::Range, quantile(0.95, &[s::HTTP_ROUTE], &requests, POINT), "{{http_route}}")
        .traces(format!(
            "{{ kind = server && resource.service.name =~ \"${{service:pipe}}\"{} }}",
            same(s::HTTP_ROUTE, "http_route")
        ))
}

fn database() -> Panel {
    let operations = selected(Series::buckets, &m::DB_CLIENT_OPERATION_DURATION);
    Panel::lines("Database latency p95 by operation", "s")
        .about("95th percentile of the duration of database operations.")
        .query(
            Mode::Range,
            quantile(0.95, &[s::DB_OPERATION_NAME], &operations, POINT),
            "{{db_operation_name}}",
        )
        .traces(format!(
            "{{ kind = client && resource.service.name =~ \"${{service:pipe}}\"{} }}",
            same(s::DB_OPERATION_NAME, "db_operation_name")
        ))
}

fn errors() -> Panel {
    let errors = server_errors().like(SERVICE_NAME, "$service");
    Panel::lines("5xx per minute", "short")
        .about("Responses with a 5xx status, by route. HighErrorRate fires above 50 a minute for 2 minutes.")
        .query(
            Mode::Range,
            or_none(&per_minute(&sum_by(&[s::HTTP_ROUTE], events_in_window(&errors, POINT))), "http_route"),
            "{{http_route}}",
        )
        .steps(GREEN, &[(RED, 50.0)])
        .traces(
            "{ kind = server && resource.service.name =~ \"${service:pipe}\" && span.http.response.status_code >= 500 }",
        )
}

fn memory() -> Panel {
    let [used, limit] = [&m::PROCESS_MEMORY_USAGE, &m::PROCESS_MEMORY_LIMIT]
        .map(|metric| sum_by(&[SERVICE_NAME, INSTANCE], selected(Series::of, metric)));
    Panel::lines("Memory against its limit", "percent")
        .about("Physical memory in use relative to the memory limit. HighMemoryUsage fires above 80 % for 5 minutes.")
        .query(Mode::Range, format!("100 * {used} / {limit}"), "{{service_name}} {{instance}}")
        .steps(GREEN, &[(RED, 80.0)])
        .between(0.0, 100.0)
}

fn lag() -> Panel {
    let lag = selected(Series::buckets, &m::RUNTIME_LAG);
    Panel::lines("Runtime lag p99", "s")
        .about("Delay with which a timer fires on the application's runtime. Above 100 ms, a task blocks the runtime.")
        .query(Mode::Range, quantile(0.99, &[SERVICE_NAME], &lag, POINT), "{{service_name}}")
        .steps(GREEN, &[(RED, 0.1)])
}

fn processor() -> Panel {
    let time = selected(Series::of, &m::PROCESS_CPU_TIME);
    Panel::lines("CPU", "percentunit")
        .about("Processor time per second. 100 % is one core.")
        .query(
            Mode::Range,
            sum_by(&[SERVICE_NAME, s::CPU_MODE], format!("rate({time}[$__rate_interval])")),
            "{{service_name}} {{cpu_mode}}",
        )
        .stacked()
}

fn runtime() -> Panel {
    let sum = |metric: &m::Metric| sum_by(&[], selected(Series::of, metric));
    let busy = selected(Series::of, &m::RUNTIME_BUSY_TIME);
    Panel::lines("Runtime tasks and workers", "short")
        .about(
            "Tasks that have not completed, tasks in the global queue, and utilisation of the workers (right axis).",
        )
        .query(Mode::Range, sum(&m::RUNTIME_TASKS), "tasks")
        .query(Mode::Range, sum(&m::RUNTIME_QUEUE_DEPTH), "in the queue")
        .query(
            Mode::Range,
            format!("sum(rate({busy}[$__rate_interval])) / {}", sum(&m::RUNTIME_WORKERS)),
            "workers busy",
        )
        .query_unit("C", "percentunit")
        .right_axis("C")
}

fn ledger() -> Panel {
    let items = events_in_window(&selected(Series::of, &m::EXPORT_ITEMS), POINT);
    Panel::lines("Exporter ledger: lost telemetry", "short")
        .about(
            "Telemetry items per minute by export result. Items with a result other than `ok` are lost; TelemetryLoss fires on them.",
        )
        .query(Mode::Range, per_minute(&sum_by(&[SIGNAL, RESULT], items)), "{{signal}} {{result}}")
}

fn queue() -> Panel {
    let [size, capacity] = ["otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"]
        .map(|name| sum_by(&["exporter"], Series::own(name, Origin::Collector)));
    Panel::lines("Collector queue", "percent")
        .about("Fill level of the Collector's queues. If a queue is full, the Collector returns UNAVAILABLE and the service retries.")
        .query(Mode::Range, format!("100 * {size} / {capacity}"), "{{exporter}}")
        .steps(GREEN, &[(YELLOW, 50.0), (RED, 80.0)])
        .between(0.0, 100.0)
}
