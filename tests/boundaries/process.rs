//! Process and runtime metrics, as a scrape of a running program shows them.

use crate::support::{Server, scrape, scraped_telemetry};
use axum::Router;
use axum::routing::get;
use hub_otel::Telemetry;
use hub_otel::http::ServerLayer;
use hub_otel::semconv::metric as m;
use hub_otel_tests::poll;
use hub_otel_tests::scrape::Scrape;
use std::time::Duration;

const WITHIN: Duration = Duration::from_secs(20);

fn value(scrape: &Scrape, name: &str) -> Option<f64> {
    scrape.value(name, &[])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_os = "linux")]
async fn a_running_program_exports_its_process_and_its_runtime() {
    let telemetry = scraped_telemetry();
    let _held = std::fs::File::open("/proc/self/stat").unwrap();
    tokio::spawn(std::future::pending::<()>());
    let lagged = |telemetry: &Telemetry| {
        value(&scrape(telemetry), "hub_otel_runtime_lag_seconds_count").is_some_and(|n| n > 0.0)
    };
    poll::until_async(WITHIN, async || lagged(&telemetry)).await;

    let seen = scrape(&telemetry);
    let positive = [
        m::PROCESS_MEMORY_USAGE,
        m::PROCESS_THREAD_COUNT,
        m::PROCESS_FILE_DESCRIPTOR_COUNT,
        m::PROCESS_UPTIME,
        m::PROCESS_MEMORY_LIMIT,
        m::RUNTIME_TASKS,
    ];
    for metric in positive {
        let value = value(&seen, metric.prometheus);
        assert!(value.is_some_and(|value| value > 0.0), "{} = {value:?}", metric.prometheus);
    }
    for mode in ["user", "system"] {
        assert!(
            seen.value("process_cpu_time_seconds_total", &[("cpu_mode", mode)]).is_some(),
            "{mode}"
        );
    }
    assert_eq!(value(&seen, "hub_otel_runtime_workers"), Some(2.0));
    assert!(value(&seen, "hub_otel_runtime_queue_depth").is_some());
    assert!(value(&seen, "hub_otel_runtime_busy_time_seconds_total").is_some());
    let memory = value(&seen, "process_memory_usage_bytes").unwrap();
    assert!(memory < value(&seen, "hub_otel_process_memory_limit_bytes").unwrap());
    // Between a page and a terabyte: bytes, neither pages nor kilobytes.
    let actual = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: f64 = actual.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((0.2..5.0).contains(&(memory / (pages * 4096.0))), "{memory} for {pages} pages");
    telemetry.shutdown().await;
}

#[tokio::test]
async fn a_runtime_that_is_blocked_shows_as_one_long_lag() {
    let telemetry = scraped_telemetry();
    let slow = |telemetry: &Telemetry| {
        let seen = scrape(telemetry);
        let all = value(&seen, "hub_otel_runtime_lag_seconds_count").unwrap_or(0.0);
        let quick =
            seen.value("hub_otel_runtime_lag_seconds_bucket", &[("le", "0.25")]).unwrap_or(0.0);
        all - quick
    };
    let uptime =
        |telemetry: &Telemetry| value(&scrape(telemetry), "process_uptime_seconds").unwrap();
    poll::until_async(WITHIN, async || {
        // Blocks the thread of the runtime until the process is 600 ms older.
        let since = uptime(&telemetry);
        poll::until(WITHIN, || uptime(&telemetry) > since + 0.6);
        tokio::task::yield_now().await;
        slow(&telemetry) >= 1.0
    })
    .await;
    telemetry.shutdown().await;
}

#[test]
fn a_runtime_that_is_named_later_is_monitored_and_the_process_is_registered_once() {
    let telemetry = scraped_telemetry();
    let before = value(&scrape(&telemetry), "process_thread_count").unwrap();
    assert_eq!(
        value(&scrape(&telemetry), "hub_otel_runtime_workers"),
        None,
        "no runtime, no number"
    );

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    telemetry.monitor_runtime(runtime.handle());
    poll::until(WITHIN, || {
        value(&scrape(&telemetry), "hub_otel_runtime_lag_seconds_count").is_some_and(|n| n > 0.0)
    });

    let seen = scrape(&telemetry);
    assert_eq!(value(&seen, "hub_otel_runtime_workers"), Some(3.0));
    let after = value(&seen, "process_thread_count").unwrap();
    assert!(after < 2.0 * before + 40.0, "{before} threads, then {after}");
    telemetry.shutdown_blocking();
}

#[tokio::test]
async fn a_boundary_records_into_the_telemetry_that_it_was_given() {
    let telemetry = scraped_telemetry();
    let app = Router::new().route("/users/{id}", get(|| async { "hello" }));
    let server = Server::start(app.layer(ServerLayer::new().telemetry(&telemetry))).await;

    reqwest::get(server.url("/users/7")).await.unwrap().text().await.unwrap();

    let labels = [
        ("http_route", "/users/{id}"),
        ("http_request_method", "GET"),
        ("http_response_status_code", "200"),
        ("url_scheme", "http"),
        ("network_protocol_version", "1.1"),
    ];
    poll::until_async(WITHIN, async || {
        scrape(&telemetry).value("http_server_request_duration_seconds_count", &labels) == Some(1.0)
    })
    .await;
    let active = [("http_request_method", "GET"), ("url_scheme", "http")];
    assert_eq!(scrape(&telemetry).value("http_server_active_requests", &active), Some(0.0));
    telemetry.shutdown().await;
}
