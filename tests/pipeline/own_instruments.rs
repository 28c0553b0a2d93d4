//! Instruments of the application beside those of this crate: callbacks that fail, and colliding
//! series, names and labels.

use crate::kit;
use hub_otel::otel::meter_provider;
use hub_otel::otel::opentelemetry::KeyValue;
use hub_otel::otel::opentelemetry::metrics::{Meter, MeterProvider};
use hub_otel::{Exporter, Signal, Telemetry, TelemetryBuilder};
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::scrape::Scrape;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(60);

/// An instance that serves metrics and exports nothing else.
fn served() -> TelemetryBuilder {
    kit::builder().exporters(Signal::Traces, []).exporters(Signal::Logs, [])
}

fn scrape(telemetry: &Telemetry) -> Scrape {
    Scrape::of(format!("http://{}/metrics", telemetry.metrics_addr().expect("served")))
}

fn meter(telemetry: &Telemetry, name: &'static str) -> Meter {
    meter_provider(telemetry).meter(name)
}

/// Starts a case in a child process that serves metrics. Returns it with the URL.
fn start(case: &str) -> (Process, String) {
    let mut command = kit::case(&format!("own_instruments::case::{case}"));
    command.envs([
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    let process = Process::spawn(&mut command);
    let line = process.line(SOON, "/metrics");
    let to = line.find("/metrics").expect("a path");
    let from = line[..to].rfind("http://").expect("an address");
    let url = format!("{}/metrics", &line[from..to]);
    process.line(SOON, "recorded");
    (process, url)
}

/// Ends a child by SIGTERM. Returns its standard error.
#[track_caller]
fn stop(mut process: Process) -> String {
    use std::os::unix::process::ExitStatusExt;
    process.terminate();
    assert_eq!(process.exit(SOON).signal(), Some(15), "{}", process.stderr());
    let stderr = process.stderr();
    assert!(stderr.contains("Shutdown complete"), "{stderr}");
    stderr
}

#[test]
fn a_callback_that_panics_or_hangs_loses_its_own_metric_and_is_reported_once() {
    for case in ["panics", "hangs"] {
        let (process, url) = start(case);
        for _ in 0..4 {
            let scrape = Scrape::of(&url);
            assert_eq!(scrape.value("mine_good_total", &[]), Some(1.0), "{case}");
            assert_eq!(scrape.value("mine_also_good", &[]), Some(7.0), "{case}");
            assert_eq!(scrape.value("mine_bad", &[]), None, "{case}");
        }
        let stderr = stop(process);
        assert_eq!(
            stderr.matches("the callback of the instrument `mine.bad`").count(),
            1,
            "{stderr}"
        );
    }
}

#[test]
fn a_callback_with_too_many_values_is_cut_and_reported_once() {
    let (process, url) = start("many");
    for _ in 0..3 {
        let scrape = Scrape::of(&url);
        // 2,000 label sets, the limit of the SDK, and the overflow.
        assert_eq!(scrape.matching("mine_many_total", &[]).count(), 2_001);
    }
    let stderr = stop(process);
    assert_eq!(stderr.matches("observed more than 10000 values").count(), 1, "{stderr}");
}

#[test]
fn twenty_hanging_callbacks_take_few_threads_and_the_program_still_ends() {
    let (process, url) = start("twenty_hang");
    let threads =
        || std::fs::read_dir(format!("/proc/{}/task", process.id())).expect("a process").count();
    let before = threads();
    for _ in 0..4 {
        assert_eq!(Scrape::of(&url).value("mine_good_total", &[]), Some(1.0));
    }
    assert!(threads() <= before + 10, "{before} threads became {}", threads());
    stop(process);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "instruments of the user's own")]
fn the_push_continues_after_a_callback_that_panics_once() {
    let receiver = Receiver::start();
    let telemetry = kit::to(&receiver)
        .exporters(Signal::Metrics, [Exporter::Otlp])
        .set_var("OTEL_METRIC_EXPORT_INTERVAL", "50")
        .build()
        .expect("it starts");
    let meter = meter(&telemetry, "mine");
    let good = meter.u64_counter("mine.good").build();
    good.add(1, &[]);
    let once = AtomicBool::new(true);
    meter
        .u64_observable_gauge("mine.bad")
        .with_callback(move |observer| {
            assert!(!once.swap(false, SeqCst), "once");
            observer.observe(3, &[]);
        })
        .build();
    poll::until(SOON, || receiver.latest_sum("mine.bad") == 3.0);
    good.add(41, &[]);
    poll::until(SOON, || receiver.latest_sum("mine.good") == 42.0);
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "instruments of the user's own")]
fn instruments_are_created_while_a_callback_blocks_and_inside_of_callbacks() {
    let telemetry = served().build().expect("it starts");
    let own = meter(&telemetry, "mine");
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    own.u64_observable_gauge("mine.slow")
        .with_callback(move |observer| {
            let _ = entered.send(());
            let _ = released.lock().expect("one at a time").recv_timeout(SOON);
            observer.observe(1, &[]);
        })
        .build();
    let inner = own.clone();
    own.u64_observable_gauge("mine.nested")
        .with_callback(move |observer| {
            inner.u64_counter("mine.inner").build().add(1, &[]);
            observer.observe(1, &[]);
        })
        .build();
    std::thread::scope(|scope| {
        let scraped = scope.spawn(|| scrape(&telemetry));
        has_entered.recv_timeout(SOON).expect("the callback runs");
        let began = Instant::now();
        own.u64_counter("mine.other").build().add(1, &[]);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        release.send(()).expect("the callback waits");
        let scrape = scraped.join().expect("a page");
        assert_eq!(scrape.value("mine_slow", &[]), Some(1.0));
        assert_eq!(scrape.value("mine_nested", &[]), Some(1.0));
        assert_eq!(scrape.value("mine_other_total", &[]), Some(1.0));
        drop(release);
    });
    // The inner counter was created while a collection ran.
    poll::until(SOON, || scrape(&telemetry).value("mine_inner_total", &[]).is_some());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "instruments of the user's own")]
fn two_meters_with_the_same_series_are_summed_and_gauges_get_their_scope() {
    let telemetry = served().build().expect("it starts");
    for (name, amount) in [("scheduler-a", 1), ("scheduler-b", 10)] {
        let meter = meter(&telemetry, name);
        meter.u64_counter("jobs.done").build().add(amount, &[]);
        meter.i64_up_down_counter("jobs.open").build().add(amount as i64, &[]);
        meter.f64_histogram("jobs.time").with_unit("s").build().record(amount as f64, &[]);
        meter.u64_gauge("jobs.limit").build().record(amount, &[]);
        meter.u64_gauge("jobs.other").build().record(amount, &[KeyValue::new("of", name)]);
    }
    let scrape = scrape(&telemetry);
    assert_eq!(scrape.value("jobs_done_total", &[]), Some(11.0));
    assert_eq!(scrape.value("jobs_open", &[]), Some(11.0));
    assert_eq!(scrape.value("jobs_time_seconds_sum", &[]), Some(11.0));
    assert_eq!(scrape.value("jobs_time_seconds_count", &[]), Some(2.0));
    let limit = |scope| scrape.value("jobs_limit", &[("otel_scope_name", scope)]);
    assert_eq!((limit("scheduler-a"), limit("scheduler-b")), (Some(1.0), Some(10.0)));
    let scoped: Vec<_> = scrape
        .samples
        .iter()
        .filter(|sample| sample.labels.contains_key("otel_scope_name"))
        .map(|sample| sample.name.as_str())
        .collect();
    assert_eq!(scoped, ["jobs_limit", "jobs_limit"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "instruments of the user's own")]
fn reserved_labels_are_renamed_and_none_is_merged_into_the_target() {
    let telemetry = served().build().expect("it starts");
    let labels = [
        KeyValue::new("le", "a"),
        KeyValue::new("quantile", "b"),
        KeyValue::new("__name__", "c"),
        KeyValue::new("service_name", "d"),
        KeyValue::new("x:y", "e"),
    ];
    let meter = meter(&telemetry, "mine");
    meter.u64_counter("mine.things").build().add(1, &labels);
    meter.f64_histogram("mine.time").build().record(1.0, &labels);
    // Equal once their characters are replaced.
    let counter = meter.u64_counter("mine.alike").build();
    counter.add(1, &[KeyValue::new("a.b", "x")]);
    counter.add(2, &[KeyValue::new("a_b", "x")]);
    let scrape = scrape(&telemetry);
    let expected = [
        ("exported_le", "a"),
        ("exported_quantile", "b"),
        ("exported_name__", "c"),
        ("exported_service_name", "d"),
        ("service_name", "the-service"),
        ("x_y", "e"),
    ];
    for name in ["mine_things_total", "mine_time_count", "mine_time_bucket"] {
        assert!(scrape.matching(name, &expected).next().is_some(), "{name}: {scrape:?}");
    }
    assert_eq!(scrape.value("mine_alike_total", &[("a_b", "x")]), Some(3.0));
}

#[test]
fn a_conflict_of_types_or_names_is_reported_once_and_the_page_stays_valid() {
    let (process, url) = start("conflicts");
    for _ in 0..3 {
        let scrape = Scrape::of(&url);
        // The first meter by name keeps the family.
        assert_eq!(scrape.families["mine_things_total"].kind, "counter");
        assert_eq!(scrape.value("mine_things_total", &[]), Some(1.0));
        assert_eq!(scrape.families["mine_time"].kind, "histogram");
        assert_eq!(scrape.value("mine_time_count", &[]), Some(1.0));
        assert_eq!(scrape.matching("target_info", &[]).count(), 1);
    }
    let stderr = stop(process);
    for name in ["mine_things_total", "mine_time_count", "target_info"] {
        let reported = format!("[OpenTelemetry] `{name}` is not served");
        assert_eq!(stderr.matches(&reported).count(), 1, "{name}: {stderr}");
    }
}

#[expect(clippy::disallowed_methods, reason = "instruments of the user's own")]
mod case {
    use hub_otel::otel::meter_provider;
    use hub_otel::otel::opentelemetry::KeyValue;
    use hub_otel::otel::opentelemetry::metrics::{Meter, MeterProvider};

    fn serve(register: impl FnOnce(&dyn Fn(&'static str) -> Meter)) {
        let telemetry =
            hub_otel::Telemetry::builder().shutdown_on_signal(true).install().expect("the install");
        register(&|name| meter_provider(&telemetry).meter(name));
        eprintln!("recorded");
        loop {
            std::thread::park();
        }
    }

    fn beside(bad: impl Fn() + Send + Sync + 'static) {
        serve(|meter| {
            let meter = meter("mine");
            meter.u64_counter("mine.good").build().add(1, &[]);
            meter.u64_observable_gauge("mine.bad").with_callback(move |_| bad()).build();
            meter
                .u64_observable_gauge("mine.also.good")
                .with_callback(|observer| observer.observe(7, &[]))
                .build();
        });
    }

    fn hang() {
        loop {
            std::thread::park();
        }
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn panics() {
        beside(|| panic!("by the application"));
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn hangs() {
        beside(hang);
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn twenty_hang() {
        serve(|meter| {
            let meter = meter("mine");
            meter.u64_counter("mine.good").build().add(1, &[]);
            for number in 0..20 {
                let name = format!("mine.bad.{number}");
                meter.u64_observable_gauge(name).with_callback(|_| hang()).build();
            }
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn many() {
        serve(|meter| {
            meter("mine")
                .u64_observable_counter("mine.many")
                .with_callback(|observer| {
                    (0..20_000).for_each(|n| observer.observe(1, &[KeyValue::new("n", n)]));
                })
                .build();
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn conflicts() {
        serve(|meter| {
            let (first, second) = (meter("a"), meter("b"));
            first.u64_counter("mine.things").build().add(1, &[]);
            second.u64_gauge("mine.things.total").build().record(5, &[]);
            first.f64_histogram("mine.time").build().record(1.0, &[]);
            second.u64_gauge("mine.time.count").build().record(5, &[]);
            first.u64_gauge("target.info").build().record(1, &[]);
        });
    }
}
