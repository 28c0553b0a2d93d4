//! One outcome per started call, equal in the span, the counter and the histogram.

use hub_otel::testing::{Capture, Settings, capture};
use hub_otel::{ErrorType, TimedOut, UnitStatus, instrument_agent, instrument_workflow};
use std::fmt;
use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

#[derive(Debug, ErrorType)]
#[hub(rename = "ScanError")]
struct ScanError(&'static str);

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot scan {}", self.0)
    }
}

impl From<TimedOut> for ScanError {
    fn from(_: TimedOut) -> Self {
        Self("in time")
    }
}

#[instrument_workflow(id = "scan", run_id = "run")]
async fn scan(fails: bool) -> Result<u32, ScanError> {
    inner(fails)?;
    Ok(1)
}

fn inner(fails: bool) -> Result<(), ScanError> {
    if fails { Err(ScanError("/etc")) } else { Ok(()) }
}

#[instrument_agent(id = "a", action = "x", run_id = "r")]
async fn agent(fails: bool) -> Result<(), ScanError> {
    if fails {
        return Err(ScanError("/home"));
    }
    Ok(())
}

#[instrument_workflow(id = "scan", run_id = "run")]
async fn panics() -> u32 {
    panic!("no luck")
}

#[instrument_workflow(id = "scan", run_id = "run")]
async fn never() {
    pending::<()>().await;
}

/// Exactly one terminal run of this status, and nothing active.
fn one(capture: &Capture, status: &str) {
    let metrics = capture.metrics();
    for name in ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELLED", "REJECTED"] {
        let expected = f64::from(u8::from(name == status));
        assert_eq!(
            metrics.value("workflow.runs.total", &[("status", name)]),
            expected,
            "{}",
            metrics.table()
        );
        assert_eq!(
            metrics.value("workflow.duration", &[("status", name)]),
            expected,
            "{}",
            metrics.table()
        );
    }
    assert_eq!(metrics.value("workflows.active", &[]), 0.0, "{}", metrics.table());
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_value_is_a_success() {
    let capture = capture();
    assert_eq!(scan(false).await.unwrap(), 1);
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Ok
      - workflow.duration.ms=…
      - workflow.id=scan
      - workflow.name=scan
      - workflow.run.id=run
      - workflow.status=SUCCESS
      - workflow.trigger=manual
    ");
    insta::assert_snapshot!(capture.metrics().table(), @r"
    workflow.duration{status=SUCCESS, workflow_id=scan} count=1
    workflow.runs.total{status=FAILED, trigger_type=manual, workflow_id=scan} 0
    workflow.runs.total{status=SUCCESS, trigger_type=manual, workflow_id=scan} 1
    workflow.runs.total{status=TIMED_OUT, trigger_type=manual, workflow_id=scan} 0
    workflows.active{workflow_id=scan} 0
    ");
    one(&capture, "SUCCESS");
}

#[tokio::test]
async fn an_error_that_left_by_a_question_mark_is_a_failure() {
    let capture = capture();
    assert!(scan(true).await.is_err());
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Error: cannot scan /etc
      - error.type=ScanError
      - workflow.duration.ms=…
      - workflow.id=scan
      - workflow.name=scan
      - workflow.run.id=run
      - workflow.status=FAILED
      - workflow.trigger=manual
      * exception
        - exception.message=cannot scan /etc
        - exception.type=behaviour::outcomes::ScanError
    ");
    assert_eq!(
        capture.metrics().value(
            "workflow.errors.total",
            &[("error_type", "ScanError"), ("workflow_id", "scan")]
        ),
        1.0
    );
    one(&capture, "FAILED");
}

#[tokio::test]
async fn a_failed_agent_records_its_error() {
    let capture = Settings::new().allow_root_agents().capture();
    assert!(agent(true).await.is_err());
    insta::assert_snapshot!(capture.spans().tree(), @r"
    agent.execute Error: cannot scan /home
      - agent.action=x
      - agent.duration.ms=…
      - agent.id=a
      - agent.run.id=r
      - agent.status=FAILED
      - error.message=cannot scan /home
      - error.type=ScanError
      * exception
        - exception.message=cannot scan /home
        - exception.type=behaviour::outcomes::ScanError
    ");
    insta::assert_snapshot!(capture.metrics().table(), @r"
    agent.duration{action=x, agent_id=a, status=FAILED} count=1
    agent.errors.total{agent_id=a, error_type=ScanError} 1
    agent.runs.total{action=x, agent_id=a, status=FAILED} 1
    agent.runs.total{action=x, agent_id=a, status=SUCCESS} 0
    agent.runs.total{action=x, agent_id=a, status=TIMED_OUT} 0
    ");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_panic_is_a_failure_and_continues_to_unwind() {
    let capture = capture();
    let task = capture.run(panics());
    let caught = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(task)).await.unwrap_err();
    assert_eq!(caught.downcast_ref::<&str>(), Some(&"no luck"));
    let spans = capture.spans();
    assert_eq!(spans.named("workflow.execute")[0].text("error.type"), "panic");
    assert_eq!(capture.metrics().value("workflow.errors.total", &[("error_type", "panic")]), 1.0);
    one(&capture, "FAILED");
}

#[tokio::test]
async fn a_dropped_future_is_recorded_as_cancelled() {
    let capture = capture();
    assert!(tokio::time::timeout(Duration::from_millis(1), never()).await.is_err());
    assert_eq!(capture.spans().iter().next().unwrap().status, "Unset");
    one(&capture, "CANCELLED");
}

#[tokio::test]
async fn drops_of_a_cancelled_body_run_inside_its_unit() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            hub_otel::current().record("dropped", true);
        }
    }
    #[instrument_workflow(id = "scan")]
    async fn holds() {
        let _loud = Loud;
        pending::<()>().await;
    }
    let capture = capture();
    assert!(tokio::time::timeout(Duration::from_millis(1), holds()).await.is_err());
    assert_eq!(capture.spans().iter().next().unwrap().text("dropped"), "true");
    one(&capture, "CANCELLED");
}

#[tokio::test]
async fn a_child_that_runs_is_cancelled_with_its_parent() {
    #[instrument_workflow(id = "scan", run_id = "run")]
    async fn parent() {
        child().await;
    }
    #[instrument_agent(id = "a", action = "x", run_id = "r")]
    async fn child() {
        pending::<()>().await;
    }
    let capture = capture();
    assert!(tokio::time::timeout(Duration::from_millis(1), parent()).await.is_err());
    assert_eq!(capture.spans().names(), "workflow.execute\n  agent.execute\n");
    assert_eq!(capture.metrics().value("agent.runs.total", &[("status", "CANCELLED")]), 1.0);
    one(&capture, "CANCELLED");
}

#[tokio::test]
async fn an_aborted_task_is_cancelled() {
    let capture = capture();
    let task = tokio::spawn(never());
    tokio::task::yield_now().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    one(&capture, "CANCELLED");
}

#[test]
fn the_end_of_the_runtime_cancels_what_runs_in_it() {
    let capture = capture();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::spawn(never());
        tokio::task::yield_now().await;
    });
    assert!(capture.spans().is_empty());
    drop(runtime);
    one(&capture, "CANCELLED");
}

#[tokio::test]
async fn a_call_that_is_never_polled_records_nothing() {
    let capture = capture();
    drop(never());
    assert!(capture.spans().is_empty());
    assert_eq!(capture.metrics().table(), "");
}

#[tokio::test]
async fn a_unit_marked_as_timed_out_is_recorded_as_timed_out() {
    let capture = capture();
    let slow = async {
        hub_otel::current().set_timed_out();
        Ok::<_, ScanError>(())
    };
    hub_otel::workflow("scan").run(slow).await.unwrap();
    assert_eq!(capture.spans().iter().next().unwrap().text("error.type"), "timeout");
    one(&capture, "TIMED_OUT");
}

#[tokio::test]
async fn the_error_type_defines_its_name_and_whether_it_is_a_timeout() {
    struct Late;
    impl ErrorType for Late {
        fn error_type(&self) -> std::borrow::Cow<'static, str> {
            "upstream_deadline".into()
        }
        fn timed_out(&self) -> bool {
            true
        }
    }
    #[instrument_workflow(id = "scan")]
    async fn late() -> Result<(), Late> {
        Err(Late)
    }
    let capture = capture();
    assert!(late().await.is_err());
    assert_eq!(capture.spans().iter().next().unwrap().text("error.type"), "upstream_deadline");
    one(&capture, "TIMED_OUT");
}

#[tokio::test]
async fn an_error_without_display_is_still_a_failure() {
    struct Mute;
    #[instrument_workflow(id = "scan")]
    async fn mute() -> Result<(), Mute> {
        Err(Mute)
    }
    let capture = capture();
    assert!(mute().await.is_err());
    let spans = capture.spans();
    assert_eq!(spans.iter().next().unwrap().text("error.type"), "behaviour_mute");
    one(&capture, "FAILED");
}

#[tokio::test]
async fn the_message_of_an_erased_error_is_never_a_label() {
    #[instrument_workflow(id = "scan")]
    async fn erased() -> Result<(), Box<dyn std::error::Error>> {
        Err("user 4711 not found".into())
    }
    let capture = capture();
    assert!(erased().await.is_err());
    assert_eq!(capture.metrics().value("workflow.errors.total", &[("error_type", "_OTHER")]), 1.0);
    one(&capture, "FAILED");
}

#[tokio::test]
async fn a_status_is_an_outcome_of_the_builder() {
    let capture = capture();
    hub_otel::workflow("scan").run(async { UnitStatus::Rejected }).await;
    assert_eq!(capture.spans().iter().next().unwrap().status, "Unset");
    one(&capture, "REJECTED");
}

#[test]
fn a_synchronous_call_is_recorded() {
    let capture = capture();
    let value = hub_otel::workflow("scan").call(|| Ok::<_, ScanError>(7)).unwrap();
    assert_eq!(value, 7);
    one(&capture, "SUCCESS");
}

#[tokio::test]
async fn unsampled_units_are_counted_exactly() {
    for settings in [Settings::new().unsampled(), Settings::new().ratio(0.0)] {
        let capture = settings.capture();
        assert!(scan(true).await.is_err());
        assert!(capture.spans().is_empty());
        assert_eq!(
            capture.metrics().value("workflow.errors.total", &[("error_type", "ScanError")]),
            1.0
        );
        one(&capture, "FAILED");
    }
}

mod only_counted {
    use super::*;
    use hub_otel::propagation::{extract, inject};
    use std::cell::Cell;
    use std::collections::HashMap;

    type Carrier = HashMap<String, String>;

    thread_local! {
        static EVALUATED: Cell<u32> = const { Cell::new(0) };
    }

    fn evaluated() -> u32 {
        EVALUATED.set(EVALUATED.get() + 1);
        EVALUATED.get()
    }

    #[instrument_workflow(id = "outer", run_id = "run", fields(n = evaluated()))]
    async fn outer() -> Option<String> {
        tokio::task::yield_now().await;
        let _ = failing();
        let mut message = Carrier::new();
        inject(&mut message);
        message.remove("traceparent")
    }

    #[instrument_agent(id = "a", action = "x", fields(n = evaluated()))]
    fn failing() -> Result<(), ScanError> {
        hub_otel::current().record_retry("busy");
        Err(ScanError("/home"))
    }

    fn assert_counted(capture: &Capture) {
        assert!(capture.spans().is_empty());
        assert_eq!(EVALUATED.get(), 0, "a field that is not exported is not evaluated");
        let metrics = capture.metrics();
        assert_eq!(
            metrics
                .value("workflow.runs.total", &[("workflow_id", "outer"), ("status", "SUCCESS")]),
            1.0
        );
        assert_eq!(
            metrics.value("agent.runs.total", &[("agent_id", "a"), ("status", "FAILED")]),
            1.0
        );
        assert_eq!(metrics.value("agent.retry.count", &[("reason", "busy")]), 1.0);
        assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    }

    #[tokio::test]
    async fn an_unsampled_unit_evaluates_no_field() {
        for settings in [Settings::new().unsampled(), Settings::new().ratio(0.0)] {
            let capture = settings.capture();
            let _ = outer().await;
            assert_counted(&capture);
        }
    }

    #[tokio::test]
    async fn a_unit_below_an_unsampled_span_counts_and_hands_that_span_on() {
        let capture = Settings::new().parent_based().capture();
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let message = Carrier::from([("traceparent".to_owned(), parent.to_owned())]);
        let handed_on = extract(&message).scope(async { outer().await }).await;
        assert_counted(&capture);
        assert_eq!(handed_on.as_deref(), Some(parent));
    }

    #[tokio::test]
    async fn a_field_of_a_sampled_unit_is_evaluated_once() {
        let capture = capture();
        let _ = outer().await;
        assert_eq!((EVALUATED.get(), capture.spans().len()), (2, 2));
    }
}

#[tokio::test]
async fn a_unit_ends_with_the_status_of_its_own_and_not_with_that_of_the_raw_span() {
    use opentelemetry::trace::{Status as Raw, TraceContextExt};
    let capture = capture();
    let confused = async {
        let context = opentelemetry::Context::current();
        context.span().set_status(Raw::Ok);
        context.span().end();
        Err::<(), _>(ScanError("that"))
    };
    assert!(hub_otel::workflow("scan").run(confused).await.is_err());
    assert_eq!(capture.spans().iter().next().unwrap().status, "Error: cannot scan that");
    one(&capture, "FAILED");
}

#[tokio::test]
async fn success_can_leave_the_status_unset() {
    let capture = Settings::new().ok_status(false).capture();
    assert!(scan(false).await.is_ok());
    assert_eq!(capture.spans().iter().next().unwrap().status, "Unset");
}
