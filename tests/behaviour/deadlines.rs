//! `timeout = …`: a deadline inside the unit, on every executor, with and without telemetry.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hub_otel::testing::capture;
use hub_otel::{TimedOut, instrument_agent, instrument_workflow};
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

#[derive(Debug, PartialEq)]
struct ScanError(&'static str);

impl std::fmt::Display for ScanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot scan {}", self.0)
    }
}

impl From<TimedOut> for ScanError {
    fn from(_: TimedOut) -> Self {
        Self("in time")
    }
}

/// Records its drop in the unit around it.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        hub_otel::current().record("dropped.inside", true);
    }
}

#[instrument_workflow(id = "scan", run_id = "run", trigger = "event", timeout = limit)]
async fn scan(limit: Duration) -> Result<u32, ScanError> {
    let _loud = Loud;
    pending().await
}

#[instrument_agent(id = "a", action = "x", run_id = "r", timeout = Duration::from_millis(5))]
async fn agent() -> Result<(), TimedOut> {
    pending().await
}

/// An executor without a runtime: it parks its thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

#[tokio::test]
async fn after_the_deadline_the_body_is_dropped_inside_its_unit_which_timed_out() {
    let capture = capture();
    assert_eq!(scan(Duration::from_millis(5)).await, Err(ScanError("in time")));
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Error: cannot scan in time
      - dropped.inside=true
      - error.type=timeout
      - workflow.duration.ms=…
      - workflow.id=scan
      - workflow.name=scan
      - workflow.run.id=run
      - workflow.status=TIMED_OUT
      - workflow.trigger=event
      * exception
        - exception.message=cannot scan in time
        - exception.type=behaviour::deadlines::ScanError
    ");
    insta::assert_snapshot!(capture.metrics().table(), @r"
    workflow.duration{status=TIMED_OUT, workflow_id=scan} count=1
    workflow.errors.total{error_type=timeout, workflow_id=scan} 1
    workflow.runs.total{status=FAILED, trigger_type=event, workflow_id=scan} 0
    workflow.runs.total{status=SUCCESS, trigger_type=event, workflow_id=scan} 0
    workflow.runs.total{status=TIMED_OUT, trigger_type=event, workflow_id=scan} 1
    workflows.active{workflow_id=scan} 0
    ");
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_timeout_of_an_agent_is_recorded_on_the_agent_and_its_caller() {
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow() -> Result<(), Box<dyn std::error::Error>> {
        agent().await?;
        Ok(())
    }
    let capture = capture();
    assert!(workflow().await.is_err());
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Error: the deadline passed
      - error.type=timeout
      - workflow.duration.ms=…
      - workflow.id=w
      - workflow.name=w
      - workflow.run.id=run
      - workflow.status=TIMED_OUT
      - workflow.trigger=manual
      * exception
        - exception.message=the deadline passed
        - exception.type=alloc::boxed::Box<dyn core::error::Error>
      agent.execute Error: the deadline passed
        - agent.action=x
        - agent.duration.ms=…
        - agent.id=a
        - agent.run.id=r
        - agent.status=TIMED_OUT
        - error.message=the deadline passed
        - error.type=timeout
        - workflow.id=w
        - workflow.run.id=run
        * exception
          - exception.message=the deadline passed
          - exception.type=hub_otel::error_type::TimedOut
    ");
    assert_eq!(capture.metrics().value("agent.errors.total", &[("error_type", "timeout")]), 1.0);
    capture.conformance().unwrap();
}

#[tokio::test]
async fn a_child_that_still_ran_at_the_deadline_was_cancelled() {
    #[instrument_workflow(id = "w", timeout = Duration::from_millis(5))]
    async fn workflow() -> Result<(), TimedOut> {
        hub_otel::agent("a", "x").run(pending::<()>()).await;
        Ok(())
    }
    let capture = capture();
    assert!(workflow().await.is_err());
    assert_eq!(capture.spans().names(), "workflow.execute\n  agent.execute\n");
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.runs.total", &[("status", "CANCELLED")]), 1.0);
    assert_eq!(metrics.value("workflow.runs.total", &[("status", "TIMED_OUT")]), 1.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
}

#[tokio::test]
async fn a_body_is_not_interrupted_before_its_deadline() {
    #[instrument_agent(id = "a", action = "x", timeout = limit)]
    async fn quick(limit: Duration) -> Result<u32, TimedOut> {
        tokio::task::yield_now().await;
        Ok(7)
    }
    let capture = capture();
    for limit in [Duration::from_secs(3_600), Duration::MAX] {
        assert_eq!(quick(limit).await, Ok(7));
    }
    // A body that is ready in its first poll is in time.
    assert_eq!(hub_otel::agent("a", "x").run(async { Ok::<_, TimedOut>(7) }).await, Ok(7));
    assert_eq!(quick(Duration::ZERO).await, Err(TimedOut::default()));
    let metrics = capture.metrics();
    assert_eq!(metrics.value("agent.runs.total", &[("status", "SUCCESS")]), 3.0);
    assert_eq!(metrics.value("agent.runs.total", &[("status", "TIMED_OUT")]), 1.0);
}

#[test]
fn a_deadline_needs_no_timer_of_tokio() {
    let capture = capture();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(scan(Duration::from_millis(5))), Err(ScanError("in time")));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    runtime.block_on(async { tokio::spawn(agent()).await.unwrap().unwrap_err() });
    let metrics = capture.metrics();
    assert_eq!(metrics.value("workflow.runs.total", &[("status", "TIMED_OUT")]), 1.0);
    assert_eq!(metrics.value("agent.runs.total", &[("status", "TIMED_OUT")]), 1.0);
}

#[test]
fn a_deadline_needs_no_tokio() {
    let capture = capture();
    assert_eq!(block_on(scan(Duration::from_millis(5))), Err(ScanError("in time")));
    assert_eq!(capture.spans().iter().next().unwrap().text("workflow.status"), "TIMED_OUT");
    assert_eq!(capture.spans().iter().next().unwrap().text("dropped.inside"), "true");
}

#[test]
fn deadlines_expire_by_their_time_whatever_order_they_were_set_in() {
    #[instrument_agent(id = "a", action = "x", timeout = Duration::from_millis(after))]
    async fn limited(after: u64) -> Result<(), TimedOut> {
        pending().await
    }
    let passed = std::cell::RefCell::new(Vec::new());
    let limits = [90, 30, 60, 3_600_000, 5];
    // Polls in the order of the wake-ups, also if several deadlines pass before this thread runs
    // again.
    let all: FuturesUnordered<_> = limits
        .into_iter()
        .map(async |limit| {
            let _ = limited(limit).await;
            passed.borrow_mut().push(limit);
        })
        .collect();
    // The longest deadline does not pass: its future is dropped when the test ends.
    block_on(futures_util::future::select(pin!(all.collect::<Vec<()>>()), pin!(limited(120))));
    assert_eq!(*passed.borrow(), [5, 30, 60, 90]);
}

#[tokio::test]
async fn a_deadline_is_part_of_the_program_and_not_of_its_telemetry() {
    #[instrument_agent(enabled = false, timeout = Duration::from_millis(5))]
    async fn switched_off() -> Result<(), TimedOut> {
        pending().await
    }
    // Nothing is installed or captured here.
    assert_eq!(agent().await, Err(TimedOut::default()));
    let capture = capture();
    assert_eq!(switched_off().await, Err(TimedOut::default()));
    assert_eq!(capture.metrics().table(), "");
}

/// A task whose last handle is the waker that the timer holds, and which has a deadline of its own.
#[test]
fn a_waker_that_holds_a_task_with_a_deadline_can_be_dropped_by_the_timer() {
    struct Holds(
        #[expect(dead_code, reason = "dropped with the waker")] std::sync::Mutex<Option<Held>>,
    );
    type Held = Pin<Box<dyn Future<Output = Result<(), TimedOut>> + Send>>;
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    #[instrument_agent(timeout = Duration::from_secs(3_600))]
    async fn limited() -> Result<(), TimedOut> {
        pending().await
    }
    let mut inner: Held = Box::pin(limited());
    assert!(inner.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let holds = Waker::from(Arc::new(Holds(std::sync::Mutex::new(Some(inner)))));
    let mut outer = Box::pin(limited());
    assert!(outer.as_mut().poll(&mut Context::from_waker(&holds)).is_pending());
    drop(holds);
    // Replaces the waker, whose task has a deadline to take back.
    assert!(outer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(outer);
}
