//! `OTEL_TRACES_EXPORTER=console`: a finished trace as a tree.

use crate::kit;
use hub_otel_tests::process::Process;
use std::time::Duration;

#[test]
fn a_trace_is_printed_as_an_indented_tree_without_colours_if_stderr_is_no_terminal() {
    let mut command = kit::case("console::case::a_trace");
    command.envs([
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(Duration::from_secs(20)).success());
    let stderr = process.stderr();
    // Durations differ per run and are masked.
    let tree: Vec<_> = stderr
        .lines()
        .skip_while(|line| !line.starts_with("trace "))
        .skip(1)
        .take(5)
        .map(|line| {
            let words = line.split("  ").filter(|word| {
                !word.ends_with("µs") && !word.ends_with("ms") && !word.ends_with(" s")
            });
            words.collect::<Vec<_>>().join("  ")
        })
        .collect();
    let expected = [
        "workflow.execute  FAILED: it broke  workflow.id=nightly workflow.trigger=manual",
        "├─ agent.execute  SUCCESS  agent.id=scanner agent.action=scan",
        "│  └─ SELECT runs",
        "└─ agent.execute  FAILED: it broke  agent.id=notifier",
        "      ! Broken: it broke",
    ];
    assert_eq!(tree, expected, "{stderr}");
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}

#[test]
fn the_table_of_open_traces_is_bounded_and_evictions_are_counted() {
    let mut command = kit::case("console::case::three_thousand_open_traces");
    command.envs([
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(Duration::from_secs(60)).success(), "{}", process.stderr());
    let stderr = process.stderr();
    // Each ended span is printed once, its open parent never.
    for number in [0, 1_000, 1_999, 2_000, 2_999] {
        assert_eq!(stderr.matches(&format!("child-{number} ")).count(), 1, "{number}");
    }
    assert_eq!(stderr.matches("child-").count(), 3_000);
    assert!(!stderr.contains("open-root"), "{stderr}");
    let line = "[OpenTelemetry] more than 1000 traces are unfinished: ";
    assert_eq!(stderr.matches(line).count(), 1, "at most once a minute");
}

mod case {
    use hub_otel::otel::kv;
    use hub_otel::otel::opentelemetry::Context;
    use hub_otel::otel::opentelemetry::trace::{Status, TraceContextExt, Tracer, TracerProvider};
    use hub_otel::semconv::attribute as a;

    #[test]
    #[ignore = "runs in a child process"]
    #[expect(clippy::disallowed_methods, reason = "spans by hand")]
    fn three_thousand_open_traces() {
        let telemetry = hub_otel::init("console").expect("the install");
        let tracer = hub_otel::otel::tracer_provider(&telemetry).tracer("tests");
        let open: Vec<_> = (0..3_000)
            .map(|number| {
                let root = Context::new().with_span(tracer.start("open-root"));
                drop(tracer.start_with_context(format!("child-{number}"), &root));
                root
            })
            .collect();
        telemetry.shutdown_blocking();
        drop(open);
    }

    #[test]
    #[ignore = "runs in a child process"]
    #[expect(clippy::disallowed_methods, reason = "spans by hand")]
    fn a_trace() {
        let telemetry = hub_otel::init("console").expect("the install");
        let tracer = hub_otel::otel::tracer_provider(&telemetry).tracer("tests");
        let begin = |name: &'static str, parent: &Context| {
            parent.with_span(tracer.start_with_context(name, parent))
        };
        let workflow = begin("workflow.execute", &Context::new());
        for (key, value) in [
            (a::WORKFLOW_ID, "nightly"),
            (a::WORKFLOW_TRIGGER, "manual"),
            (a::WORKFLOW_STATUS, "FAILED"),
        ] {
            workflow.span().set_attribute(kv(key, value));
        }
        let scanner = begin("agent.execute", &workflow);
        for (key, value) in [
            (a::AGENT_ID, "scanner"),
            (a::AGENT_ACTION, "scan"),
            (a::WORKFLOW_ID, "nightly"),
            (a::AGENT_STATUS, "SUCCESS"),
        ] {
            scanner.span().set_attribute(kv(key, value));
        }
        begin("SELECT runs", &scanner).span().end();
        scanner.span().end();
        let notifier = begin("agent.execute", &workflow);
        for (key, value) in [(a::AGENT_ID, "notifier"), (a::AGENT_STATUS, "FAILED")] {
            notifier.span().set_attribute(kv(key, value));
        }
        let exception = vec![kv(a::EXCEPTION_TYPE, "Broken"), kv(a::EXCEPTION_MESSAGE, "it broke")];
        notifier.span().add_event("exception", exception);
        notifier.span().set_status(Status::error("it broke"));
        notifier.span().end();
        workflow.span().set_status(Status::error("it broke"));
        workflow.span().end();
        telemetry.shutdown_blocking();
    }
}
