//! Dashboard System Health: the service's availability and resources, and the observability stack.

use super::query::{
    WARNINGS, increment, of_service, or_none, per_minute, quantile_at, same, selected,
};
use crate::promql::{INSTANCE, JOB, LE, Origin, POINT, SHOWN, Series, events_in_window, sum_by};
use crate::stack::dashboard::{Dashboard, GREEN, Mode, Panel, RED, YELLOW};
use crate::stack::increments::{
    CALL_BUCKETS, CALLS, OPERATION_BUCKETS, OPERATIONS, REQUEST_BUCKETS, REQUESTS, counted,
};
use crate::stack::liveness::PUSHED;
use hub_otel::semconv::attribute::label::{RESULT, SIGNAL};
use hub_otel::semconv::attribute::{self as a, SERVICE_NAME};
use hub_otel::semconv::metric as m;
use opentelemetry_semantic_conventions::attribute as s;

pub(super) fn dashboard() -> Dashboard {
    Dashboard {
        uid: "system-health",
        title: "System Health",
        description: "Availability and resources of the service, and delivery of its telemetry.",
        from: "now-1h",
        variables: &["service", "environment", "cluster", "instance"],
        panels: vec![
            up().begins("Availability"),
            lost(),
            requests(),
            components(),
            firing(),
            traffic().begins("Requests and database"),
            error_ratio(),
            api(),
            errors(),
            database(),
            database_errors(),
            connections(),
            calls(),
            call_errors(),
            memory().begins("Process"),
            lag(),
            processor(),
            runtime(),
            ledger().begins("Telemetry"),
            queue(),
            map().begins("Services and logs"),
            log_records(),
        ],
    }
}

/// Selects the series of a metric of a process.
fn of_process(part: fn(&m::Metric) -> Series, metric: &m::Metric) -> Series {
    selected(part, metric).like(INSTANCE, "$instance")
}

fn up() -> Panel {
    let uptime = of_process(Series::of, &m::PROCESS_UPTIME);
    let instances = [SERVICE_NAME, INSTANCE];
    // 1 if a sample arrived within a minute, 0 if the process ended without a shutdown.
    let fresh = sum_by(&instances, format!("count_over_time({uptime}[1m]) > bool 0"));
    let pushed = of_service(Series::own(PUSHED, Origin::Service)).like(INSTANCE, "$instance");
    Panel::number("Service up", "short")
        .about("Each instance: up if its telemetry arrived within the last minute, down if it stopped without a shutdown.")
        .query(
            Mode::Instant,
            format!("{fresh} > 0 or 0 * {}", sum_by(&instances, pushed)),
            "{{service_name}} {{instance}}",
        )
        .steps(RED, &[(GREEN, 1.0)])
        .replaces("0", "DOWN", RED)
        .replaces("1", "UP", GREEN)
        .without_data("no service is scraped or pushes")
}

fn lost() -> Panel {
    let lost = events_in_window(&selected(Series::of, &m::EXPORT_ITEMS).not(RESULT, "ok"), SHOWN);
    Panel::number("Telemetry lost", "short")
        .about(
            "Spans, log records and metric points that were rejected, failed or dropped in the time range.",
        )
        .query(Mode::Instant, or_none(&sum_by(&[SIGNAL], lost), SIGNAL), "{{signal}}")
        .steps(GREEN, &[(RED, 1.0)])
        .replaces("0", "none", GREEN)
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
        .about("State of the components of the stack by their last scrapes.")
        .query(Mode::Instant, format!("min by (job) ({up})"), "{{job}}")
        .steps(RED, &[(GREEN, 1.0)])
        .replaces("0", "DOWN", RED)
        .replaces("1", "UP", GREEN)
}

fn firing() -> Panel {
    Panel::alert_list("Alerts")
        .about("Alerts of this stack that fire or are pending. Their values and thresholds are on the dashboard Alerts.")
        .sized(24, 6)
}

fn map() -> Panel {
    Panel::service_map("Service map")
        .about("Services and the requests between them, with rate and latency, from Tempo's service graphs. Select a node for its traces.")
        .without_data("no request between services in the time range")
}

fn log_records() -> Panel {
    Panel::logs("Warnings and errors", WARNINGS)
        .about("The newest log records of the selected services from the severity WARN. `trace_id` in the details links to the trace.")
        .without_data("no warning")
}

fn traffic() -> Panel {
    Panel::lines("Requests per minute by route", "short")
        .about("Completed HTTP requests, by route.")
        .query(Mode::Range, per_minute(&[s::HTTP_ROUTE], &increment(REQUESTS)), "{{http_route}}")
        .stacked()
}

fn error_ratio() -> Panel {
    let by_service = |series: &Series| sum_by(&[SERVICE_NAME], counted(series, "$__interval"));
    let failed = by_service(&increment(REQUESTS).like(s::HTTP_RESPONSE_STATUS_CODE, "5.."));
    let all = by_service(&increment(REQUESTS));
    Panel::lines("Error ratio of requests", "percent")
        .about("Responses with a 5xx status, relative to all responses.")
        .query(
            Mode::Range,
            format!("100 * ({failed} or 0 * {all}) / ({all} > 0)"),
            "{{service_name}}",
        )
        .steps(GREEN, &[(YELLOW, 1.0), (RED, 5.0)])
}

fn api() -> Panel {
    Panel::lines("API p95 by route", "s")
        .about("95th percentile of the duration of HTTP requests.")
        .query(
            Mode::Range,
            quantile_at(0.95, &[s::HTTP_ROUTE], &increment(REQUEST_BUCKETS)),
            "{{http_route}}",
        )
        .traces(format!(
            "{{ kind = server && resource.service.name =~ \"${{service:pipe}}\"{} }}",
            same(s::HTTP_ROUTE, "http_route")
        ))
}

fn database() -> Panel {
    Panel::lines("Database latency p95 by operation", "s")
        .about("95th percentile of the duration of database operations.")
        .query(
            Mode::Range,
            quantile_at(0.95, &[s::DB_OPERATION_NAME], &increment(OPERATION_BUCKETS)),
            "{{db_operation_name}}",
        )
        .traces(format!(
            "{{ kind = client && resource.service.name =~ \"${{service:pipe}}\"{} }}",
            same(s::DB_OPERATION_NAME, "db_operation_name")
        ))
}

fn database_errors() -> Panel {
    let failed = increment(OPERATIONS).not(a::ERROR_TYPE, "");
    Panel::lines("Database errors per minute", "short")
        .about("Database operations that failed, by error type. DatabaseErrors fires on lost connections: connection, pool_timeout, io.")
        .query(
            Mode::Range,
            or_none(&per_minute(&[a::ERROR_TYPE], &failed), a::ERROR_TYPE),
            "{{error_type}}",
        )
}

fn connections() -> Panel {
    let by_pool = |series| sum_by(&[a::DB_CLIENT_CONNECTION_POOL_NAME], series);
    let count = of_process(Series::of, &m::DB_CLIENT_CONNECTION_COUNT);
    let limit = of_process(Series::of, &m::DB_CLIENT_CONNECTION_MAX);
    Panel::lines("Database connections by pool", "short")
        .about("Connections in use, and the most that a pool may open. Queries wait at the limit.")
        .query(
            Mode::Range,
            by_pool(count.is(a::DB_CLIENT_CONNECTION_STATE, "used")),
            "{{db_client_connection_pool_name}} in use",
        )
        .query(Mode::Range, by_pool(limit), "{{db_client_connection_pool_name}} limit")
}

fn errors() -> Panel {
    let errors = increment(REQUESTS).like(s::HTTP_RESPONSE_STATUS_CODE, "5..");
    Panel::lines("5xx per minute", "short")
        .about("Responses with a 5xx status, by route. HighErrorRate fires above 50 a minute for 2 minutes.")
        .query(
            Mode::Range,
            or_none(&per_minute(&[s::HTTP_ROUTE], &errors), "http_route"),
            "{{http_route}}",
        )
        .steps(GREEN, &[(RED, 50.0)])
        .traces(
            "{ kind = server && resource.service.name =~ \"${service:pipe}\" && span.http.response.status_code >= 500 }",
        )
}

fn calls() -> Panel {
    Panel::lines("HTTP client p95 by server", "s")
        .about("95th percentile of the duration of the service's requests to other servers.")
        .query(
            Mode::Range,
            quantile_at(0.95, &[s::SERVER_ADDRESS], &increment(CALL_BUCKETS)),
            "{{server_address}}",
        )
}

fn call_errors() -> Panel {
    let failed = increment(CALLS).not(a::ERROR_TYPE, "");
    Panel::lines("HTTP client errors per minute", "short")
        .about("Requests of the service that failed or returned an error status, by server and error type.")
        .query(
            Mode::Range,
            or_none(&per_minute(&[s::SERVER_ADDRESS, a::ERROR_TYPE], &failed), a::ERROR_TYPE),
            "{{server_address}} {{error_type}}",
        )
}

fn memory() -> Panel {
    let [used, limit] = [&m::PROCESS_MEMORY_USAGE, &m::PROCESS_MEMORY_LIMIT]
        .map(|metric| sum_by(&[SERVICE_NAME, INSTANCE], of_process(Series::of, metric)));
    Panel::lines("Memory against its limit", "percent")
        .about("Physical memory in use relative to the memory limit. HighMemoryUsage fires above 80 % for 5 minutes.")
        .query(Mode::Range, format!("100 * {used} / {limit}"), "{{service_name}} {{instance}}")
        .steps(GREEN, &[(RED, 80.0)])
        .between(0.0, 100.0)
}

fn lag() -> Panel {
    let lag = of_process(Series::buckets, &m::RUNTIME_LAG);
    Panel::lines("Runtime lag p99", "s")
        .about("Delay with which a timer fires on the application's runtime. Above 100 ms, a task blocks the runtime.")
        .query(
            Mode::Range,
            format!(
                "histogram_quantile(0.99, {}) >= 0 or histogram_quantile(0.99, {}) >= 0",
                sum_by(&[SERVICE_NAME, INSTANCE, LE], format!("rate({lag}[$__rate_interval])")),
                sum_by(
                    &[SERVICE_NAME, INSTANCE],
                    format!("rate({}[$__rate_interval])", lag.as_native())
                )
            ),
            "{{service_name}} {{instance}}",
        )
        .steps(GREEN, &[(RED, 0.1)])
}

fn processor() -> Panel {
    let time = of_process(Series::of, &m::PROCESS_CPU_TIME);
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
    let sum = |metric: &m::Metric| sum_by(&[], of_process(Series::of, metric));
    let busy = of_process(Series::of, &m::RUNTIME_BUSY_TIME);
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
            "Telemetry items per minute by export result: lost ones on the left axis, delivered ones (`ok`) on the right. TelemetryLoss fires on the former.",
        )
        .query(
            Mode::Range,
            format!("{} * 60 / $__rate_interval", sum_by(&[SIGNAL, RESULT], items)),
            "{{signal}} {{result}}",
        )
        .right_axis_of("/ ok$/")
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
