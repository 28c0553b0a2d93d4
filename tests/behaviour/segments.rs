//! Runs that continue later or in another process.

use futures_util::FutureExt as _;
use hub_otel::testing::{Settings, capture};
use hub_otel::{Segment, UnitStatus, current, instrument_workflow, workflow};
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

#[instrument_workflow(id = "patch", name = "Patch", run_id = "run", trigger = "event")]
async fn first() -> Segment {
    current().suspend("approval");
    current().segment().unwrap()
}

#[tokio::test]
async fn a_suspended_segment_counts_nothing_and_the_next_one_ends_the_run() {
    let capture = capture();
    let segment = first().await;
    insta::assert_snapshot!(capture.metrics().table(), @r"
    workflow.runs.total{status=FAILED, trigger_type=event, workflow_id=patch} 0
    workflow.runs.total{status=SUCCESS, trigger_type=event, workflow_id=patch} 0
    workflow.runs.total{status=TIMED_OUT, trigger_type=event, workflow_id=patch} 0
    workflows.active{workflow_id=patch} 0
    ");
    // As if it had been stored and read back by another process.
    let stored = serde_json::to_string(&segment).unwrap();
    let segment: Segment = serde_json::from_str(&stored).unwrap();
    workflow("ignored").resume(segment).run(async {}).await;
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Unset
      - workflow.duration.ms=…
      - workflow.id=patch
      - workflow.name=Patch
      - workflow.run.id=run
      - workflow.status=SUSPENDED
      - workflow.suspend.reason=approval
      - workflow.trigger=event
    workflow.execute Ok
      - workflow.duration.ms=…
      - workflow.id=patch
      - workflow.name=Patch
      - workflow.run.id=run
      - workflow.status=SUCCESS
      - workflow.trigger=event
      ~ workflow.execute
    ");
    let metrics = capture.metrics();
    assert_eq!(
        metrics.value("workflow.runs.total", &[("status", "SUCCESS"), ("trigger_type", "event")]),
        1.0
    );
    assert_eq!(metrics.value("workflow.duration", &[]), 1.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn the_duration_of_a_run_is_the_time_executed_over_all_segments() {
    let capture = capture();
    let segment = first().await.with_elapsed(Duration::from_secs(60));
    workflow("ignored").resume(segment).run(async {}).await;
    let metrics = capture.metrics();
    let duration = metrics.iter().find(|series| series.name == "workflow.duration").unwrap();
    assert!((60_000.0..90_000.0).contains(&duration.sum), "{}", duration.sum);
    let spans = capture.spans();
    let last =
        spans.named("workflow.execute")[1].text("workflow.duration.ms").parse::<u64>().unwrap();
    assert!(last < 60_000, "a span is one segment: {last}");
}

#[tokio::test]
async fn a_run_that_ends_while_nothing_runs_is_recorded_by_its_segment() {
    let capture = capture();
    let segment = first().await;
    segment.record_end(UnitStatus::Rejected, None);
    segment.with_run_id("other").record_end(UnitStatus::Failed, Some("crash_loop"));
    let spans = capture.spans();
    let [suspended, rejected, failed] = spans.named("workflow.execute")[..] else {
        panic!("{}", spans.tree())
    };
    assert_eq!((rejected.status.as_str(), failed.status.as_str()), ("Unset", "Error: crash_loop"));
    assert_eq!(rejected.links, *std::slice::from_ref(&suspended.span_id));
    assert_eq!(rejected.start, rejected.end, "it has no length");
    assert_eq!(failed.text("error.type"), "crash_loop");
    let metrics = capture.metrics();
    assert_eq!(metrics.value("workflow.runs.total", &[("status", "REJECTED")]), 1.0);
    assert_eq!(metrics.value("workflow.errors.total", &[("error_type", "crash_loop")]), 1.0);
    assert_eq!(metrics.value("workflow.duration", &[]), 2.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_segment_of_an_unsampled_run_has_the_run_id() {
    let capture = Settings::new().unsampled().capture();
    let segment =
        workflow("patch").run_with(async { current().segment().unwrap() }, |_, _| {}).await;
    assert_eq!(segment.workflow_id(), "patch");
    assert!(!segment.run_id().is_empty());
    assert_eq!(segment.traceparent(), None);
    drop(capture);
}

#[tokio::test]
async fn a_failure_beats_a_suspension() {
    let capture = capture();
    let undecided = async {
        current().suspend("approval").set_failed("broken");
    };
    workflow("patch").run(undecided).await;
    assert_eq!(capture.metrics().value("workflow.runs.total", &[("status", "FAILED")]), 1.0);
}

/// Body of a durable engine, which executes it again, in this or another process.
async fn body(segment: Option<Segment>, runs: &Mutex<Option<Segment>>, ends: bool) {
    let steps = async {
        current().suspend_on_drop();
        *runs.lock().unwrap() = current().segment();
        if !ends {
            std::future::pending::<()>().await;
        }
    };
    workflow("patch").run_id("run").resume(segment).run(steps).await;
}

#[tokio::test]
async fn a_body_that_an_engine_drops_is_a_segment_and_counts_once_at_its_end() {
    let capture = capture();
    let stored = Mutex::new(None);
    for _ in 0..2 {
        let previous = stored.lock().unwrap().clone();
        let mut dropped = Box::pin(body(previous, &stored, false));
        assert!(futures_util::poll!(&mut dropped).is_pending());
    }
    let previous = stored.lock().unwrap().clone();
    body(previous, &stored, true).await;
    let spans = capture.spans();
    let segments = spans.named("workflow.execute");
    let status = |index: usize| segments[index].text("workflow.status");
    assert_eq!([status(0), status(1), status(2)], ["SUSPENDED", "SUSPENDED", "SUCCESS"]);
    assert_eq!(segments[0].text("workflow.suspend.reason"), "dropped");
    assert_eq!(segments[2].links, *std::slice::from_ref(&segments[1].span_id));
    let metrics = capture.metrics();
    assert_eq!(metrics.value("workflow.runs.total", &[]), 1.0);
    assert_eq!(metrics.value("workflow.duration", &[]), 1.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_panic_in_a_body_of_an_engine_ends_the_run() {
    let capture = capture();
    let panics = async {
        current().suspend_on_drop();
        assert_eq!(current().run_id().as_deref(), Some("another"), "the id of the run is its own");
    };
    let panicked = AssertUnwindSafe(workflow("patch").run(panics)).catch_unwind().await;
    assert!(panicked.is_err());
    assert_eq!(capture.metrics().value("workflow.runs.total", &[("status", "FAILED")]), 1.0);
}

#[tokio::test]
async fn the_time_in_a_queue_is_recorded_per_workflow() {
    let capture = capture();
    for created in [SystemTime::now() - Duration::from_secs(3), SystemTime::now() + DAY] {
        workflow("patch")
            .run(async {
                current().queued_since(created);
            })
            .await;
    }
    // No workflow is around the call.
    current().queued_since(SystemTime::UNIX_EPOCH);
    let metrics = capture.metrics();
    let wait = metrics.iter().find(|series| series.name == "workflow.queue.wait_time").unwrap();
    assert_eq!(metrics.value("workflow.queue.wait_time", &[("workflow_id", "patch")]), 2.0);
    assert!((3_000.0..60_000.0).contains(&wait.sum), "{}", wait.sum);
    let spans = capture.spans();
    let waits: Vec<_> = spans
        .named("workflow.execute")
        .iter()
        .map(|span| span.text("workflow.queue.wait_time.ms"))
        .collect();
    assert!(waits[0].parse::<u64>().unwrap() >= 3_000);
    assert_eq!(waits[1], "0", "a clock that is set back is no wait");
    capture.conformance().unwrap();
}
