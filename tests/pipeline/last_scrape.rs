//! The end of a program whose metrics are pulled, and of one that is short-lived.

use crate::kit;
use hub_otel::otel::meter_provider;
use hub_otel::otel::opentelemetry::metrics::MeterProvider;
use hub_otel::{Protocol, Signal, TelemetryBuilder};
use hub_otel_tests::ports::Closed;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::scrape::Scrape;
use hub_otel_tests::{http, poll};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);

fn served() -> TelemetryBuilder {
    kit::builder().exporters(Signal::Traces, []).exporters(Signal::Logs, [])
}

#[test]
#[expect(clippy::disallowed_methods, reason = "an instrument of the user's own")]
fn a_scraper_gets_what_happened_since_its_last_scrape() {
    let telemetry = served().build().expect("it starts");
    let url = format!("http://{}/metrics", telemetry.metrics_addr().expect("served"));
    let counter = meter_provider(&telemetry).meter("tests").u64_counter("things").build();
    counter.add(1, &[]);
    let scrapes = AtomicUsize::new(0);
    let last = std::thread::scope(|scope| {
        let scraper = scope.spawn(|| {
            let mut last = None;
            let mut next = Instant::now();
            loop {
                next += Duration::from_millis(500);
                let Ok(page) = http::try_send(http::Method::GET, &url, &[], "") else {
                    return last;
                };
                last = Scrape::parse(&page.body).expect("a page").value("things_total", &[]);
                scrapes.fetch_add(1, SeqCst);
                // The interval of the scraper.
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        poll::until(SOON, || scrapes.load(SeqCst) == 3);
        counter.add(41, &[]);
        telemetry.shutdown_blocking();
        scraper.join().expect("no panic")
    });
    assert_eq!(last, Some(42.0));
}

#[test]
fn a_scraper_that_is_not_due_before_the_deadline_delays_nothing() {
    let telemetry = served().shutdown_timeout(Duration::from_millis(300)).build().expect("starts");
    let url = format!("http://{}/metrics", telemetry.metrics_addr().expect("served"));
    let began = Instant::now();
    http::get(&url);
    poll::until(SOON, || began.elapsed() > Duration::from_millis(1_500));
    http::get(&url);
    let began = Instant::now();
    telemetry.shutdown_blocking();
    assert!(began.elapsed() < Duration::from_millis(250), "{:?}", began.elapsed());
}

#[test]
fn a_short_lived_program_without_a_collector_ends_at_once() {
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf, Protocol::HttpJson] {
        let closed = Closed::new();
        let telemetry = kit::builder()
            .protocol(protocol)
            .endpoint(closed.endpoint())
            .build()
            .expect("it starts");
        kit::span(&telemetry, "the only one");
        let began = Instant::now();
        let report = telemetry.shutdown_blocking();
        assert_eq!(report.traces.dropped.get("no_collector"), Some(&1), "{protocol:?}: {report}");
        // 0.1 s, and up to 0.2 s of the backoff.
        assert!(
            began.elapsed() < Duration::from_millis(800),
            "{protocol:?}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn metrics_that_are_pulled_and_pushed_are_one_warning_at_the_start() {
    for (exporters, warnings) in [("otlp,prometheus", 1), ("otlp", 0), ("prometheus,console", 0)] {
        let receiver = Receiver::start();
        let mut command = kit::case("last_scrape::case::starts");
        command.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
            ("OTEL_METRICS_EXPORTER", exporters),
        ]);
        let mut process = Process::spawn(&mut command);
        assert!(process.exit(SOON).success(), "{}", process.stderr());
        let stderr = process.stderr();
        let found = stderr.matches("counts everything twice").count();
        assert_eq!(found, warnings, "{exporters}: {stderr}");
    }
}

mod case {
    #[test]
    #[ignore = "runs in a child process"]
    fn starts() {
        hub_otel::init("last-scrape").expect("the install").shutdown_blocking();
    }
}
