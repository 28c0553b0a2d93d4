//! Approvals: the wait for a decision.

use hub_otel::approval::{self, Decision};
use hub_otel::testing::{Capture, capture};
use hub_otel::{current, instrument_agent, instrument_workflow, workflow};
use hub_otel_tests::poll;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

#[tokio::test]
async fn a_wait_in_process_is_a_span_and_does_not_count_as_execution() {
    #[instrument_workflow(id = "patch", run_id = "run")]
    async fn patch() -> Decision {
        approval::wait("approval-1", approved_after(Duration::from_millis(80))).await
    }
    let capture = capture();
    assert_eq!(patch().await, Decision::Approved);
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Ok
      - workflow.duration.ms=…
      - workflow.id=patch
      - workflow.name=patch
      - workflow.run.id=run
      - workflow.status=SUCCESS
      - workflow.trigger=manual
      workflow.approval Unset
        - workflow.approval.decision=APPROVED
        - workflow.approval.id=approval-1
        - workflow.id=patch
        - workflow.run.id=run
    ");
    let metrics = capture.metrics();
    let wait = sum(&capture, "workflow.approval.wait_time");
    assert!(wait >= 80.0);
    let executed: u64 =
        capture.spans().named("workflow.execute")[0].text("workflow.duration.ms").parse().unwrap();
    assert!(executed >= 80, "the span is open meanwhile: {executed}");
    assert!(sum(&capture, "workflow.duration") < wait, "{}", metrics.table());
    assert_eq!(
        metrics.value(
            "workflow.approval.wait_time",
            &[("workflow_id", "patch"), ("decision", "APPROVED")]
        ),
        1.0
    );
    capture.conformance().unwrap();
}

/// Returns after `time`, without blocking the thread.
async fn pass(time: Duration) {
    let start = Instant::now();
    poll::until_async(Duration::from_secs(20), async || start.elapsed() >= time).await;
}

/// Approves after `time`.
async fn approved_after(time: Duration) -> bool {
    pass(time).await;
    true
}

/// Returns the sum of all series of a histogram, in milliseconds.
fn sum(capture: &Capture, name: &str) -> f64 {
    let metrics = capture.metrics();
    metrics.iter().filter(|series| series.name == name).map(|series| series.sum).sum()
}

#[tokio::test]
async fn the_wait_of_an_agent_is_no_execution_of_the_agent_or_its_workflow() {
    #[instrument_agent(id = "releaser", action = "release")]
    async fn release() -> Decision {
        approval::wait("approval-1", approved_after(Duration::from_millis(80))).await
    }
    #[instrument_agent(id = "planner", action = "plan")]
    async fn plan() -> Decision {
        release().await
    }
    #[instrument_workflow(id = "patch", run_id = "run")]
    async fn patch() -> Decision {
        plan().await
    }
    let capture = capture();
    patch().await;
    let wait = sum(&capture, "workflow.approval.wait_time");
    assert!(wait >= 80.0);
    for metric in ["workflow.duration", "agent.duration"] {
        assert!(sum(&capture, metric) < wait, "{}", capture.metrics().table());
    }
    capture.conformance().unwrap();
}

#[tokio::test]
async fn waits_at_the_same_time_count_once() {
    #[instrument_workflow(id = "patch", run_id = "run")]
    async fn patch() {
        let wait = |id| approval::wait(id, approved_after(Duration::from_millis(60)));
        tokio::join!(wait("approval-1"), wait("approval-2"));
        pass(Duration::from_millis(50)).await;
    }
    let capture = capture();
    patch().await;
    assert!(sum(&capture, "workflow.approval.wait_time") >= 120.0);
    assert!(sum(&capture, "workflow.duration") >= 50.0, "{}", capture.metrics().table());
}

#[tokio::test]
async fn a_dropped_wait_is_recorded_as_cancelled() {
    #[instrument_workflow(id = "patch", run_id = "run")]
    async fn patch() {
        approval::wait("approval-1", std::future::pending::<bool>()).await;
    }
    let capture = capture();
    assert!(tokio::time::timeout(Duration::from_millis(1), patch()).await.is_err());
    assert_eq!(
        capture.metrics().value("workflow.approval.wait_time", &[("decision", "CANCELLED")]),
        1.0
    );
    let spans = capture.spans();
    assert_eq!(spans.named("workflow.approval")[0].text("workflow.approval.decision"), "CANCELLED");
    capture.conformance().unwrap();
}

async fn poll_once(mut future: Pin<&mut impl Future>) {
    let pending = |task: &mut Context<'_>| Poll::Ready(future.as_mut().poll(task).is_pending());
    assert!(std::future::poll_fn(pending).await);
}

#[tokio::test]
async fn a_wait_in_process_is_pending_until_its_decision_without_a_watcher() {
    #[instrument_workflow(id = "patch", run_id = "run")]
    async fn patch(decision: impl Future<Output = bool>) {
        approval::wait("approval-1", decision).await;
    }
    let capture = capture();
    let pending = |expected: f64| {
        let metrics = capture.metrics();
        let labels = [("workflow_id", "patch")];
        let count = metrics.value("workflow.approval.pending", &labels);
        assert_eq!(count, expected, "{}", metrics.table());
        metrics.value("workflow.approval.oldest_age", &labels)
    };
    let (decide, decided) = tokio::sync::oneshot::channel();
    let mut first = Box::pin(patch(async { decided.await.unwrap() }));
    let mut second = Box::pin(patch(std::future::pending()));
    poll_once(first.as_mut()).await;
    assert!(pending(1.0) > 0.0);
    poll_once(second.as_mut()).await;
    let older = pending(2.0);
    decide.send(true).unwrap();
    first.await;
    assert!(pending(1.0) > 0.0);
    drop(second);
    assert_eq!(pending(0.0), 0.0);
    assert!(older > 0.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn an_approval_decided_after_a_restart_is_recorded() {
    let capture = capture();
    let suspended = async {
        current().suspend("approval");
        current().segment().unwrap()
    };
    let segment = workflow("patch").run_id("run").run_with(suspended, |_, _| {}).await;
    let requested = SystemTime::now() - Duration::from_secs(3_600);
    approval::record("approval-1", &segment, requested, Decision::Expired);
    let spans = capture.spans();
    let approval = spans.named("workflow.approval")[0];
    let length = approval.end.duration_since(approval.start).unwrap();
    assert!(length >= Duration::from_secs(3_599), "{length:?}");
    assert_eq!(approval.links.len(), 1);
    assert_eq!(approval.text("workflow.run.id"), "run");
    let metrics = capture.metrics();
    let wait = metrics.iter().find(|series| series.name == "workflow.approval.wait_time").unwrap();
    assert_eq!(wait.labels["decision"], "EXPIRED");
    assert!(wait.sum >= 3_599_000.0, "{}", wait.sum);
    capture.conformance().unwrap();
}
