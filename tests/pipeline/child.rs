//! Process-wide behaviour: global providers, signals, stderr. Each case runs in a child process.

use crate::kit;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Returns the command that runs one of the cases below in this test program.
fn case(name: &str) -> Command {
    let mut command = kit::case(&format!("child::case::{name}"));
    command.env("OTEL_EXPORTER_PROMETHEUS_PORT", "0");
    command
}

#[track_caller]
fn run(command: &mut Command) -> String {
    kit::run(command, SOON)
}

#[test]
fn a_second_install_is_an_error_and_the_first_one_stays() {
    let receiver = Receiver::start();
    let stderr =
        run(case("double_install").env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()));
    assert_eq!(receiver.spans().len(), 1);
    assert_eq!(stderr.matches("[OpenTelemetry] Instrumentation started").count(), 1, "{stderr}");
    assert_eq!(stderr.matches("[OpenTelemetry] Shutdown complete").count(), 1, "{stderr}");
}

#[test]
fn an_event_reaches_the_collector_through_the_subscriber_that_install_sets() {
    let receiver = Receiver::start();
    let stderr = run(case("an_event")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("RUST_LOG", "warn"));
    let logs = receiver.logs();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert!(stderr.contains("over the filter") && !stderr.contains("under the filter"), "{stderr}");
}

#[test]
fn a_value_cannot_forge_a_line_on_stderr_or_control_the_terminal() {
    let closed = hub_otel_tests::ports::Closed::new();
    let stderr = run(case("hostile_values").env("OTEL_EXPORTER_OTLP_ENDPOINT", closed.endpoint()));
    assert_eq!(stderr.matches("FORGED").count(), 6, "{stderr}");
    assert!(!stderr.lines().any(|line| line.starts_with("FORGED")), "{stderr}");
    assert!(!stderr.contains(['\u{1b}', '\u{9b}', '\r', '\u{202e}']), "{stderr:?}");
    assert!(stderr.contains(r"alert\nFORGED \u{1b}[2J"), "{stderr}");
}

#[test]
fn a_subscriber_that_is_set_is_kept_and_reported_once() {
    let receiver = Receiver::start();
    let stderr =
        run(case("an_event_with_a_subscriber")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()));
    assert!(receiver.logs().is_empty());
    assert_eq!(stderr.matches("a tracing subscriber is set already").count(), 1, "{stderr}");
}

#[test]
fn without_a_collector_the_program_continues_with_one_warning_and_exits_promptly() {
    let closed = hub_otel_tests::ports::Closed::new();
    let stderr = run(case("double_install").env("OTEL_EXPORTER_OTLP_ENDPOINT", closed.endpoint()));
    assert_eq!(stderr.matches("no Collector at").count(), 1, "{stderr}");
    assert_eq!(stderr.matches("[OpenTelemetry] Shutdown error").count(), 1, "{stderr}");
}

#[test]
fn a_signal_that_shutdown_signal_waits_for_ends_the_program_in_order() {
    for interrupt in [false, true] {
        let receiver = Receiver::start();
        let mut process = Process::spawn(
            case("wait_for_a_signal").env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
        );
        process.line(SOON, "waiting");
        if interrupt {
            process.interrupt()
        } else {
            process.terminate()
        }
        assert!(process.exit(SOON).success());
        assert_eq!(receiver.spans().len(), 1);
    }
}

#[test]
fn shutdown_on_signal_delivers_and_ends_by_the_signal() {
    use std::os::unix::process::ExitStatusExt;
    let receiver = Receiver::start();
    let mut process = Process::spawn(
        case("end_by_a_signal").env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()),
    );
    process.line(SOON, "waiting");
    process.terminate();
    let status = process.exit(SOON);
    assert_eq!(status.signal(), Some(15), "{status}");
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn no_handler_is_installed_by_default() {
    use std::os::unix::process::ExitStatusExt;
    let receiver = Receiver::start();
    let mut process =
        Process::spawn(case("no_handler").env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()));
    process.line(SOON, "waiting");
    process.terminate();
    assert_eq!(process.exit(SOON).signal(), Some(15));
}

#[test]
fn init_without_a_free_thread_is_an_error_and_the_program_continues() {
    // Thread stacks larger than the address space left by the case.
    let stderr = run(case("no_thread_left").env("RUST_MIN_STACK", (1_u64 << 31).to_string()));
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_default_port_in_use_is_one_warning_and_the_program_continues() {
    let receiver = Receiver::start();
    let mut command = case("the_default_port_is_in_use");
    command.env_remove("OTEL_EXPORTER_PROMETHEUS_PORT");
    let mut process =
        Process::spawn(command.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()));
    assert!(process.exit(SOON).success(), "{}\n{}", process.stdout(), process.stderr());
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let port = stdout.lines().find_map(|line| line.split("in use: ").nth(1)).expect("the port");
    let warning =
        stderr.lines().find(|line| line.contains("metrics are not served")).unwrap_or_default();
    assert!(
        warning.contains(port) && warning.contains("OTEL_EXPORTER_PROMETHEUS_PORT"),
        "{stderr}"
    );
    assert_eq!(stderr.matches("metrics are not served").count(), 1, "{stderr}");
    let started =
        stderr.lines().find(|line| line.contains("Instrumentation started")).unwrap_or_default();
    assert!(started.contains("metrics: not served"), "{stderr}");
    assert!(stderr.ends_with("[OpenTelemetry] Shutdown complete\n"), "{stderr}");
    assert_eq!(receiver.spans().len(), 1);
}

#[test]
fn call_sites_notice_a_provider_that_comes_late() {
    let receiver = Receiver::start();
    let mut command = case("called_before_the_install");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_METRICS_EXPORTER", "otlp"),
    ]);
    run(&mut command);
    assert_eq!(receiver.spans().len(), 2, "those that were called after it");
    assert_eq!(receiver.latest_sum("agent.runs.total"), 2.0);
}

#[test]
fn a_variable_that_is_not_utf8_is_an_error_that_names_it() {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::ffi::OsStr::from_bytes(b"b\xffd");
    run(case("a_variable_that_is_not_utf8").env("OTEL_SERVICE_NAME", bytes));
}

#[test]
fn the_global_propagator_carries_what_the_variable_names() {
    for (value, carried) in [
        ("", "traceparent"),
        ("tracecontext", "traceparent"),
        ("baggage", "baggage"),
        ("tracecontext,baggage", "baggage traceparent"),
        ("none", ""),
    ] {
        let receiver = Receiver::start();
        let mut command = case("what_is_carried");
        command.envs([
            ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
            ("OTEL_PROPAGATORS", value),
            ("CARRIED", carried),
        ]);
        run(&mut command);
    }
}

#[test]
fn a_panic_hook_can_flush() {
    let receiver = Receiver::start();
    run(case("flush_in_a_panic_hook").env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()));
    assert_eq!(receiver.spans().len(), 1);
}

/// The cases that run in child processes.
mod case {
    use crate::kit;
    use std::time::Duration;

    fn forever() -> ! {
        println!("waiting");
        loop {
            std::thread::park();
        }
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn double_install() {
        let first = hub_otel::init("first").expect("the first install");
        let second = hub_otel::init("second").expect_err("the second install");
        assert_eq!(second.kind(), hub_otel::InitErrorKind::AlreadyInstalled);
        assert!(second.to_string().contains("already installed"), "{second}");
        kit::span(&first, "of the first");
        first.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn an_event() {
        let telemetry = hub_otel::init("events").expect("the install");
        tracing::info!("under the filter");
        tracing::warn!("over the filter");
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn hostile_values() {
        let telemetry = hub_otel::init("events").expect("the install");
        let hostile = "alert\nFORGED \u{1b}[2J\u{9b}31m\r\u{202e}";
        let error = std::io::Error::other(hostile);
        tracing::warn!("{hostile}");
        tracing::warn!(display = %hostile, debug = ?hostile, text = hostile, "fields");
        tracing::warn!(error = &error as &dyn std::error::Error, "an error");
        let _entered = tracing::warn_span!("span", %hostile).entered();
        tracing::warn!("in a span");
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn an_event_with_a_subscriber() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        let telemetry = hub_otel::init("events").expect("the install");
        tracing::warn!("to the subscriber alone");
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn wait_for_a_signal() {
        let telemetry = hub_otel::init("signals").expect("the install");
        kit::span(&telemetry, "before the signal");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut signal = Box::pin(hub_otel::shutdown_signal());
            // Polled once, so that the handlers are installed before the parent sends the signal.
            let early = tokio::time::timeout(Duration::from_millis(200), &mut signal).await;
            println!("waiting");
            if early.is_err() {
                signal.await;
            }
            assert!(telemetry.shutdown().await.is_complete());
        });
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn end_by_a_signal() {
        let telemetry =
            hub_otel::Telemetry::builder().shutdown_on_signal(true).install().expect("the install");
        kit::span(&telemetry, "before the signal");
        forever();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn no_thread_left() {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let most = Rlimit { current: Some(1 << 31), maximum: None };
        setrlimit(Resource::As, most).expect("a lower limit");
        let error = hub_otel::init("threads").expect_err("a thread was started");
        assert!(error.to_string().contains("thread could not be started"), "{error}");
        assert_eq!(error.kind(), hub_otel::InitErrorKind::ExportThread);
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn the_default_port_is_in_use() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        println!("in use: {port}");
        let telemetry = hub_otel::Telemetry::builder()
            .default_service_name("ports")
            .default_prometheus_port(port)
            .install()
            .expect("a warning, no error");
        assert_eq!(telemetry.metrics_addr(), None);
        assert_eq!(telemetry.health().metrics, "not served");
        kit::span(&telemetry, "after the warning");
        assert!(telemetry.shutdown_blocking().is_complete());
    }

    #[hub_otel::instrument_agent(id = "early", action = "rise")]
    fn early() -> u32 {
        7
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn called_before_the_install() {
        assert_eq!(early(), 7);
        let telemetry = hub_otel::init("late").expect("the install");
        assert_eq!((early(), early()), (7, 7));
        assert!(telemetry.shutdown_blocking().is_complete());
        assert_eq!(early(), 7);
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn a_variable_that_is_not_utf8() {
        let builder = hub_otel::Telemetry::builder;
        let config = builder().config().expect("it is ignored");
        let strict = builder().strict_environment(true).config().expect_err("not text");
        for text in [config.warnings().join("\n"), strict.to_string()] {
            assert!(text.contains("OTEL_SERVICE_NAME") && text.contains("UTF-8"), "{text}");
        }
    }

    #[test]
    #[ignore = "runs in a child process"]
    #[expect(
        clippy::disallowed_methods,
        reason = "a span without a unit of work around it, and the test's own variable"
    )]
    fn what_is_carried() {
        use hub_otel::otel::opentelemetry::baggage::BaggageExt;
        use hub_otel::otel::opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
        use hub_otel::otel::opentelemetry::{Context, KeyValue, global};
        let telemetry = hub_otel::init("propagators").expect("the install");
        let span = hub_otel::otel::tracer_provider(&telemetry).tracer("tests").start("a span");
        let context = Context::new().with_span(span).with_baggage([KeyValue::new("key", "value")]);
        let mut carrier = std::collections::BTreeMap::new();
        struct Keys<'a>(&'a mut std::collections::BTreeMap<String, String>);
        impl hub_otel::otel::opentelemetry::propagation::Injector for Keys<'_> {
            fn set(&mut self, key: &str, value: String) {
                if !value.is_empty() {
                    self.0.insert(key.to_owned(), value);
                }
            }
        }
        global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&context, &mut Keys(&mut carrier))
        });
        let carried: Vec<_> = carrier.keys().cloned().collect();
        assert_eq!(carried.join(" "), std::env::var("CARRIED").unwrap_or_default());
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn flush_in_a_panic_hook() {
        let telemetry = std::sync::Arc::new(hub_otel::init("panics").expect("the install"));
        let hooked = telemetry.clone();
        std::panic::set_hook(Box::new(move |_| {
            assert_eq!(hooked.flush_blocking().traces.ok, 1);
        }));
        kit::span(&telemetry, "before the panic");
        let panicked = std::panic::catch_unwind(|| panic!("on purpose"));
        assert!(panicked.is_err());
        // The guard is never dropped: only the flush delivers.
        std::mem::forget(telemetry);
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn no_handler() {
        let telemetry = hub_otel::init("signals").expect("the install");
        kit::span(&telemetry, "before the signal");
        forever();
    }
}
