//! Records of the `log` crate as log records. Each case runs in a child process, because a logger
//! is global.

use crate::kit;
use hub_otel_tests::receiver::{Item, Receiver, int, text};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

#[track_caller]
fn run(name: &str, receiver: &Receiver, directives: &str) -> String {
    kit::run_case(&format!("log_crate::case::{name}"), receiver, &[("RUST_LOG", directives)])
}

fn with_body(receiver: &Receiver, body: &str) -> Vec<Item<LogRecord>> {
    let mut records = receiver.logs();
    records.retain(|record| format!("{:?}", record.body).contains(body));
    records
}

#[test]
fn records_of_the_log_crate_are_exported_with_target_and_location() {
    for name in ["lines", "own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, "info");
        let records = with_body(&receiver, "by log in a unit");
        assert_eq!(records.len(), 1, "{name}: {:?}", receiver.logs());
        let record = &records[0];
        assert_eq!(record.scope.name, "pipeline::log_crate::case", "{name}");
        assert_eq!((record.severity_text.as_str(), record.event_name.as_str()), ("ERROR", ""));
        assert_eq!(record.span_id, receiver.spans()[0].span_id, "{name}");
        let path = text(&record.attributes, "code.file.path").unwrap_or_default();
        assert!(path.ends_with("log_crate.rs"), "{path}");
        assert!(int(&record.attributes, "code.line.number").is_some_and(|line| line > 1));
        assert_eq!(text(&record.attributes, "tenant"), Some("acme"));
        assert_eq!(record.attributes.len(), 3, "{:?}", record.attributes);
        // The status of spans depends on events of `tracing` only.
        assert!(receiver.spans().iter().all(|span| span.events.is_empty()));
        assert_eq!(with_body(&receiver, "by tracing").len(), 1);
    }
}

#[test]
fn events_without_a_name_have_none_and_what_the_library_exports_has_its_version() {
    for name in ["lines", "own_subscriber"] {
        let receiver = Receiver::start();
        run(name, &receiver, "info,hub_otel=debug");
        // By default, `tracing` names an event by its file and line.
        assert_eq!(with_body(&receiver, "by tracing")[0].event_name, "", "{name}");
        assert_eq!(with_body(&receiver, "with a name")[0].event_name, "cache.miss", "{name}");
        let versions: Vec<(String, String)> = receiver
            .logs()
            .into_iter()
            .map(|log| log.scope)
            .chain(receiver.spans().into_iter().map(|span| span.scope))
            .filter(|scope| scope.name == "hub_otel")
            .map(|scope| (scope.name, scope.version))
            .collect();
        assert!(versions.len() >= 2, "{name}: a span and a log record: {versions:?}");
        assert!(versions.iter().all(|(_, version)| version.starts_with("0.")), "{versions:?}");
    }
}

#[test]
fn rust_log_applies_to_the_target_of_the_record() {
    let receiver = Receiver::start();
    let stderr = run("targets", &receiver, "warn,chatty=debug,quiet=off");
    for (line, expected) in [
        ("debug of chatty", 1),
        ("trace of chatty", 0),
        ("info of others", 0),
        ("warn of others", 1),
        ("error of quiet", 0),
        ("error of the SDK", 0),
    ] {
        assert_eq!(with_body(&receiver, line).len(), expected, "{line}");
    }
    let line = stderr.lines().find(|line| line.contains("debug of chatty")).unwrap_or_default();
    assert!(line.contains("chatty") && !line.contains("log.line"), "{stderr}");
}

#[test]
fn after_a_second_installation_its_level_applies() {
    let receiver = Receiver::start();
    run("twice", &receiver, "error");
    assert_eq!(with_body(&receiver, "of the first").len(), 0);
    assert_eq!(with_body(&receiver, "of the second").len(), 1);
}

#[test]
fn a_logger_of_the_application_is_kept() {
    let receiver = Receiver::start();
    let stderr = run("own_logger", &receiver, "info");
    assert_eq!(stderr.matches("own: by log").count(), 1, "{stderr}");
    assert_eq!(with_body(&receiver, "by log").len(), 0);
}

mod case {
    use hub_otel::{Telemetry, agent};
    use tracing_subscriber::layer::SubscriberExt;

    fn log_lines(telemetry: Telemetry) {
        tracing::info_span!("around", tenant = "acme").in_scope(|| {
            agent("a", "x").call(|| log::error!("by log in a unit"));
        });
        tracing::error!("by tracing");
        tracing::error!(name: "cache.miss", "with a name");
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn lines() {
        log_lines(hub_otel::init("log").expect("the install"));
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn own_subscriber() {
        let telemetry = Telemetry::builder().build().expect("it starts");
        let layer = hub_otel::otel::tracing_layer(&telemetry);
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
            .expect("the first one");
        telemetry.install().expect("the install");
        log_lines(telemetry);
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn targets() {
        let telemetry = hub_otel::init("log").expect("the install");
        log::debug!(target: "chatty", "debug of chatty");
        log::trace!(target: "chatty", "trace of chatty");
        log::info!(target: "others", "info of others");
        log::warn!(target: "others", "warn of others");
        log::error!(target: "quiet", "error of quiet");
        log::error!(target: "opentelemetry_sdk", "error of the SDK");
        telemetry.shutdown_blocking();
    }

    #[test]
    #[ignore = "runs in a child process"]
    #[expect(clippy::disallowed_methods, reason = "a setting of the case, passed on")]
    fn twice() {
        hub_otel::init("log").expect("the install").shutdown_blocking();
        let first = hub_otel::init("log").expect("the install");
        log::info!("of the first");
        first.shutdown_blocking();
        let endpoint = std::env::vars().find(|(name, _)| name == "OTEL_EXPORTER_OTLP_ENDPOINT");
        let (_, endpoint) = endpoint.expect("set");
        let second = Telemetry::builder()
            .env_source([
                ("RUST_LOG", "info"),
                ("OTEL_METRICS_EXPORTER", "none"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ])
            .install()
            .expect("the install");
        log::info!("of the second");
        second.shutdown_blocking();
    }

    struct Own;

    impl log::Log for Own {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            eprintln!("own: {}", record.args());
        }

        fn flush(&self) {}
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn own_logger() {
        log::set_logger(&Own).expect("the first one");
        log::set_max_level(log::LevelFilter::Info);
        let telemetry = hub_otel::init("log").expect("the install");
        log::info!("by log");
        telemetry.shutdown_blocking();
    }
}
