//! Captures of the whole process.

use hub_otel::testing::{Settings, capture, capture_global};
use hub_otel::{agent, workflow};
use opentelemetry::trace::Tracer;
use std::sync::mpsc;
use std::thread;

#[hub_otel::instrument_workflow(id = "nightly")]
fn nightly() {}

#[test]
fn a_process_wide_capture_covers_threads_that_inherit_nothing() {
    let capture = capture_global();
    thread::spawn(nightly).join().unwrap();
    assert_eq!(capture.spans().names(), "workflow.execute\n");
    assert_eq!(capture.metrics().value("workflow.runs.total", &[("status", "SUCCESS")]), 1.0);
    capture.conformance().unwrap();
}

#[test]
fn a_process_wide_capture_contains_what_the_global_providers_record() {
    let capture = capture_global();
    thread::spawn(|| {
        opentelemetry::global::tracer("app").in_span("query", |_| nightly());
        #[expect(clippy::disallowed_methods, reason = "an instrument of the application")]
        let orders = opentelemetry::global::meter("app").u64_counter("orders").build();
        orders.add(2, &[]);
    })
    .join()
    .unwrap();
    let spans = capture.spans();
    insta::assert_snapshot!(spans.names(), @r"
    query
      workflow.execute
    ");
    assert_eq!(spans.named("query")[0].scope, "app");
    let metrics = capture.metrics();
    assert_eq!(metrics.value("orders", &[]), 2.0);
    assert_eq!(metrics.iter().find(|series| series.name == "orders").unwrap().scope, "app");
    capture.conformance().unwrap();
}

#[test]
fn a_thread_bound_capture_takes_precedence_over_a_process_wide_one() {
    let global = capture_global();
    let local = capture();
    nightly();
    assert_eq!(local.spans().len(), 1);
    assert!(global.spans().is_empty());
    drop(local);
    nightly();
    assert_eq!(global.spans().len(), 1);
}

#[test]
fn process_wide_captures_run_one_after_another() {
    let first = capture_global();
    let (sender, receiver) = mpsc::channel();
    let second = thread::spawn(move || {
        let capture = capture_global();
        nightly();
        sender.send(()).unwrap();
        capture.spans().len()
    });
    assert!(receiver.try_recv().is_err(), "the first capture is alive");
    nightly();
    let captured_by_first = first.spans().len();
    drop(first);
    assert_eq!((captured_by_first, second.join().unwrap()), (1, 1));
}

#[test]
fn a_second_process_wide_capture_on_one_thread_panics_instead_of_waiting() {
    let _first = capture_global();
    assert!(std::panic::catch_unwind(|| drop(capture_global())).is_err());
}

#[tokio::test]
async fn agents_outside_a_workflow_are_violations_unless_allowed() {
    let strict = capture();
    agent("scanner", "scan").run(async {}).await;
    let violations = strict.conformance().unwrap_err().to_string();
    assert_eq!(violations, "span agent.execute: agent `scanner` runs outside a workflow");
    drop(strict);

    let lenient = Settings::new().allow_root_agents().capture();
    agent("scanner", "scan").run(async {}).await;
    lenient.conformance().unwrap();
    drop(lenient);

    let capture = capture();
    let agents = agent("outer", "run").run(agent("inner", "run").run(async {}));
    workflow("w").run(agents).await;
    capture.conformance().unwrap();
}
