//! Lines on stderr: a full pipe, a subscriber of the application. Each case runs in a child
//! process.

use crate::kit;
use hub_otel_tests::ports::Closed;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_full_stderr_blocks_neither_units_nor_export_nor_shutdown() {
    for name in ["full_and_blocking", "full_and_async", "full_and_dropped"] {
        let receiver = Receiver::start();
        let mut command = kit::case(&format!("stderr::case::{name}"));
        command.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_TRACES_EXPORTER", "otlp,console"),
            ("OTEL_METRICS_EXPORTER", "otlp,console"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "20"),
            ("RUST_LOG", "hub_otel=trace,h2=trace"),
        ]);
        let mut process = Process::spawn_with_unread_stderr(&mut command);
        assert!(process.exit(SOON).success(), "{name}: {}", process.stdout());
        assert_eq!(receiver.spans().len(), 400, "{name}: {}", process.stdout());
        // Items are delivered while stderr is full, and at the shutdown.
        let output = process.stdout();
        assert!(output.contains("delivered before the shutdown"), "{name}: {output}");
        if name != "full_and_dropped" {
            assert!(output.contains("complete true"), "{name}: {output}");
        }
    }
}

#[test]
fn diagnostics_are_events_of_the_subscriber_of_the_application_and_never_exported() {
    let receiver = Receiver::start();
    let closed = Closed::new();
    for (name, traces, logs) in [
        ("a_subscriber", closed.endpoint(), receiver.endpoint()),
        ("a_subscriber_with_our_layer", closed.endpoint(), receiver.endpoint()),
    ] {
        let mut command = kit::case(&format!("stderr::case::{name}"));
        command.envs([
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", traces.as_str()),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", logs.as_str()),
            ("OTEL_METRICS_EXPORTER", "none"),
        ]);
        let mut process = Process::spawn(&mut command);
        assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
        let stderr = process.stderr();
        for line in [
            "event INFO hub_otel::diagnostics [OpenTelemetry] Instrumentation started (traces:",
            "event WARN hub_otel::diagnostics [OpenTelemetry] no Collector at",
            "event ERROR hub_otel::diagnostics [OpenTelemetry] Shutdown error: 1 item could not",
        ] {
            assert_eq!(stderr.matches(line).count(), 1, "{line}: {stderr}");
        }
        let by_subscriber = |line: &str| line.starts_with("event ");
        let diagnostics = stderr.lines().filter(|line| line.contains("[OpenTelemetry]"));
        assert!(diagnostics.clone().count() >= 3, "{stderr}");
        assert!(diagnostics.clone().all(by_subscriber), "{stderr}");
        let bodies: Vec<_> = receiver.logs().iter().map(|log| format!("{:?}", log.body)).collect();
        assert!(bodies.iter().all(|body| !body.contains("[OpenTelemetry]")), "{bodies:?}");
    }
    assert_eq!(receiver.logs().len(), 1, "the program's own, of the second case");
}

#[test]
fn a_subscriber_that_discards_diagnostics_does_not_hide_them() {
    let closed = Closed::new();
    let mut command = kit::case("stderr::case::a_subscriber_of_other_targets");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", closed.endpoint().as_str()),
        ("OTEL_METRICS_EXPORTER", "none"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
    let stderr = process.stderr();
    assert_eq!(stderr.matches("\n[OpenTelemetry] Shutdown error: ").count(), 1, "{stderr}");
}

#[test]
fn log_lines_of_the_application_carry_the_ids_of_span_and_run() {
    for (name, trace, span, run, end) in [
        ("json_lines", "\"trace_id\":\"", "\",\"span_id\":\"", "\",\"workflow.run.id\":\"", "\"}"),
        ("text_lines", " trace_id=", " span_id=", " workflow.run.id=", ""),
    ] {
        let receiver = Receiver::start();
        let mut command = kit::case(&format!("stderr::case::{name}"));
        command.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_METRICS_EXPORTER", "none"),
        ]);
        let mut process = Process::spawn(&mut command);
        assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
        let stderr = process.stderr();
        let spans = receiver.spans();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let agent = spans.iter().find(|span| span.name == "agent.execute").expect("an agent");
        let (trace_id, span_id) = (hex(&agent.trace_id), hex(&agent.span_id));
        let ids = format!("{trace}{trace_id}{span}{span_id}{run}run-7{end}\n");
        let line = stderr.lines().find(|line| line.contains("in the agent")).unwrap_or_default();
        assert!(format!("{line}\n").ends_with(&ids), "{ids}: {stderr}");
        let outside = stderr.lines().find(|line| line.contains("outside")).unwrap_or_default();
        assert!(!outside.is_empty() && !outside.contains("trace_id"), "{stderr}");
    }
}

#[test]
fn a_subscriber_that_blocks_stops_neither_export_nor_shutdown() {
    let receiver = Receiver::start();
    let mut command = kit::case("stderr::case::a_subscriber_that_blocks");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("HUB_OTEL_SHUTDOWN_TIMEOUT", "2000"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(SOON).success(), "{}{}", process.stdout(), process.stderr());
    let output = process.stdout();
    for thread in ["hub-otel-stderr", "hub-otel-end"] {
        assert!(output.contains(&format!("blocked {thread}")), "{output}");
    }
    assert!(output.contains("complete true"), "{output}");
    assert_eq!(receiver.spans().len(), 2, "{output}");
    assert_eq!(receiver.latest_sum("workflow.runs.total"), 1.0, "{output}");
}

mod case {
    use crate::kit;
    use hub_otel::{Telemetry, agent, workflow};
    use hub_otel_tests::poll;
    use std::io::Write;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    use std::time::{Duration, Instant};
    use tracing::field::{Field, Visit};
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::fmt;
    use tracing_subscriber::fmt::format::Writer;
    use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
    use tracing_subscriber::layer::{Context, SubscriberExt};
    use tracing_subscriber::registry::LookupSpan;
    use tracing_subscriber::{Layer, Registry};

    /// Writes to stderr until it is full. One thread stays blocked.
    fn fill_stderr() {
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        std::thread::spawn(move || {
            // A descriptor of its own: the lock of the standard library stays free.
            let stderr = std::fs::OpenOptions::new().write(true).open("/proc/self/fd/2");
            let mut stderr = stderr.expect("it is a pipe");
            while stderr.write_all(&[b'x'; 512]).is_ok() {
                count.fetch_add(1, SeqCst);
            }
        });
        let (mut last, mut since) = (0, Instant::now());
        poll::until(Duration::from_secs(30), || {
            let now = written.load(SeqCst);
            if now != last {
                (last, since) = (now, Instant::now());
            }
            now > 0 && since.elapsed() > Duration::from_millis(200)
        });
    }

    fn units() {
        for _ in 0..100 {
            workflow("nightly").call(|| agent("scanner", "scan").call(|| ()));
        }
    }

    fn full() -> Telemetry {
        let telemetry = hub_otel::init("full").expect("the install");
        fill_stderr();
        units();
        poll::until(Duration::from_secs(30), || telemetry.report().traces.ok == 200);
        println!("delivered before the shutdown");
        units();
        telemetry
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn full_and_blocking() {
        println!("complete {}", full().shutdown_blocking().is_complete());
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn full_and_async() {
        let telemetry = full();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let report = runtime.expect("a runtime").block_on(telemetry.shutdown());
        println!("complete {}", report.is_complete());
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn full_and_dropped() {
        drop(full());
    }

    /// A layer of the application: one line per event.
    struct Lines;

    impl<S: tracing::Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            struct Message(String);
            impl Visit for Message {
                fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                    if field.name() == "message" {
                        self.0 = format!("{value:?}");
                    }
                }
            }
            let mut message = Message(String::new());
            event.record(&mut message);
            let metadata = event.metadata();
            eprintln!("event {} {} {}", metadata.level(), metadata.target(), message.0);
        }
    }

    fn set(subscriber: impl tracing::Subscriber + Send + Sync) {
        tracing::subscriber::set_global_default(subscriber).expect("the first one");
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn a_subscriber() {
        set(Registry::default().with(Lines));
        let telemetry = hub_otel::init("lines").expect("the install");
        kit::span(&telemetry, "lost");
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn a_subscriber_with_our_layer() {
        let telemetry = Telemetry::builder().build().expect("it starts");
        set(Registry::default().with(hub_otel::otel::tracing_layer(&telemetry)).with(Lines));
        telemetry.install().expect("the install");
        tracing::info!("of the program");
        kit::span(&telemetry, "lost");
        telemetry.shutdown_blocking();
    }

    /// A JSON format of the application.
    struct Json;

    impl<S, N> FormatEvent<S, N> for Json
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
        N: for<'writer> FormatFields<'writer> + 'static,
    {
        fn format_event(
            &self,
            context: &FmtContext<'_, S, N>,
            mut writer: Writer<'_>,
            event: &tracing::Event<'_>,
        ) -> std::fmt::Result {
            let mut fields = String::new();
            context.field_format().format_fields(Writer::new(&mut fields), event)?;
            writeln!(writer, "{{\"fields\":{fields:?}}}")
        }
    }

    fn logs_in_an_agent() {
        let telemetry = hub_otel::init("lines").expect("the install");
        tracing::info!("outside");
        workflow("nightly")
            .run_id("run-7")
            .call(|| agent("scanner", "scan").call(|| tracing::info!("in the agent")));
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn json_lines() {
        let format = fmt().event_format(Json).map_event_format(hub_otel::otel::with_ids);
        format.with_writer(std::io::stderr).init();
        logs_in_an_agent();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn text_lines() {
        let format = fmt().map_event_format(hub_otel::otel::with_ids);
        format.with_writer(std::io::stderr).init();
        logs_in_an_agent();
    }

    /// A layer of the application that blocks each thread of the library.
    struct Blocks;

    impl<S: tracing::Subscriber> Layer<S> for Blocks {
        fn on_event(&self, _: &tracing::Event<'_>, _: Context<'_, S>) {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or_default();
            if name.starts_with("hub-otel") {
                println!("blocked {name}");
                loop {
                    std::thread::park();
                }
            }
        }
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn a_subscriber_that_blocks() {
        let of_the_library = filter_fn(|metadata| metadata.target().starts_with("hub_otel"));
        set(Registry::default().with(Blocks.with_filter(of_the_library)));
        let telemetry = hub_otel::init("blocks").expect("the install");
        let mut open = Box::pin(
            workflow("nightly").run(agent("scanner", "scan").run(std::future::pending::<()>())),
        );
        let waker = std::task::Waker::noop();
        assert!(open.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        println!("complete {}", telemetry.shutdown_blocking().is_complete());
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn a_subscriber_of_other_targets() {
        let own = filter_fn(|metadata| metadata.target() == "my_app");
        set(Registry::default().with(Lines.with_filter(own)));
        let telemetry = hub_otel::init("lines").expect("the install");
        kit::span(&telemetry, "lost");
        telemetry.shutdown_blocking();
    }
}
