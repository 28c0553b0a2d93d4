//! Functions that return a stream: the unit starts with the first poll and ends with the stream.

use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt, stream};
use hub_otel::testing::{Capture, capture};
use hub_otel::{UnitStatus, instrument_agent, instrument_workflow};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::yield_now;

pub(super) type Item = Result<u32, String>;

pub(super) fn reset() -> Item {
    Err("connection reset".to_owned())
}

/// Yields 1 … `count`, after an await each.
pub(super) fn numbers(count: u32) -> impl Stream<Item = u32> {
    stream::unfold(0, move |last| async move {
        yield_now().await;
        (last < count).then_some((last + 1, last + 1))
    })
}

#[instrument_agent(id = "writer", action = "write")]
fn writer(items: Vec<Item>) -> impl Stream<Item = Item> {
    stream::iter(items).then(|item| async {
        token().await;
        item
    })
}

#[instrument_agent(id = "token", action = "next")]
pub(super) async fn token() {
    yield_now().await;
}

/// Status, items and `error.type` of the only agent with this id.
pub(super) fn outcome(capture: &Capture, id: &str) -> (String, String, String) {
    let spans = capture.spans();
    let mut units = spans.iter().filter(|span| span.text("agent.id") == id);
    let (unit, other) = (units.next().unwrap(), units.next());
    assert!(other.is_none(), "{id} ended twice");
    (unit.text("agent.status"), unit.text("hub_otel.stream.items"), unit.text("error.type"))
}

pub(super) fn expected(status: &str, items: &str, error: &str) -> (String, String, String) {
    (status.to_owned(), items.to_owned(), error.to_owned())
}

#[tokio::test]
async fn a_stream_that_ends_is_a_success_and_what_runs_in_it_is_its_child() {
    #[instrument_workflow(id = "w", run_id = "r")]
    async fn workflow() -> Vec<Item> {
        writer(vec![Ok(1), Ok(2)]).collect().await
    }
    let capture = capture();
    assert_eq!(workflow().await, [Ok(1), Ok(2)]);
    insta::assert_snapshot!(capture.spans().tree(), @r"
    workflow.execute Ok
      - workflow.duration.ms=…
      - workflow.id=w
      - workflow.name=w
      - workflow.run.id=r
      - workflow.status=SUCCESS
      - workflow.trigger=manual
      agent.execute Ok
        - agent.action=write
        - agent.duration.ms=…
        - agent.id=writer
        - agent.run.id=…
        - agent.status=SUCCESS
        - hub_otel.stream.first_item.ms=…
        - hub_otel.stream.items=2
        - workflow.id=w
        - workflow.run.id=r
        agent.execute Ok
          - agent.action=next
          - agent.duration.ms=…
          - agent.id=token
          - agent.run.id=…
          - agent.status=SUCCESS
          - workflow.id=w
          - workflow.run.id=r
        agent.execute Ok
          - agent.action=next
          - agent.duration.ms=…
          - agent.id=token
          - agent.run.id=…
          - agent.status=SUCCESS
          - workflow.id=w
          - workflow.run.id=r
    ");
    assert_eq!(outcome(&capture, "writer"), expected("SUCCESS", "2", ""));
    capture.conformance().unwrap();
}

#[tokio::test]
async fn the_unit_lasts_from_the_first_poll_to_the_end() {
    #[instrument_agent(id = "slow", action = "x")]
    fn slow() -> impl Stream<Item = u32> {
        stream::iter([1, 2]).then(|item| async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            item
        })
    }
    let capture = capture();
    let items: Vec<_> = slow().collect().await;
    assert_eq!(items, [1, 2]);
    let spans = capture.spans();
    let span = spans.named("agent.execute")[0];
    let ms = |key| span.text(key).parse::<u64>().unwrap();
    let (first, whole) = (ms("hub_otel.stream.first_item.ms"), ms("agent.duration.ms"));
    assert!(first >= 20 && whole >= first + 20, "{first} of {whole} ms");
    assert!(span.end.duration_since(span.start).unwrap() >= Duration::from_millis(40));
}

#[tokio::test]
async fn the_first_error_decides_also_if_the_stream_continues() {
    let capture = capture();
    let items = vec![Ok(1), reset(), Err("second".to_owned()), Ok(2)];
    assert_eq!(writer(items.clone()).collect::<Vec<_>>().await, items);
    assert_eq!(outcome(&capture, "writer"), expected("FAILED", "4", "String"));
    let spans = capture.spans();
    let unit = spans.iter().find(|span| span.text("agent.id") == "writer").unwrap();
    assert_eq!(unit.text("error.message"), "connection reset");
    assert_eq!(unit.events.len(), 1);
}

#[tokio::test]
async fn a_stream_that_is_dropped_after_an_error_has_failed() {
    let capture = capture();
    assert!(writer(vec![Ok(1), reset(), Ok(2)]).try_collect::<Vec<_>>().await.is_err());
    assert_eq!(outcome(&capture, "writer"), expected("FAILED", "2", "String"));
}

#[tokio::test]
async fn a_stream_that_is_dropped_before_its_end_is_cancelled_and_dropped_inside() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            hub_otel::current().record("dropped.inside", true);
        }
    }
    #[instrument_agent(id = "dropped", action = "x")]
    fn dropped() -> impl Stream<Item = u32> {
        let loud = Loud;
        stream::repeat(1).inspect(move |_| {
            let _ = &loud;
        })
    }
    let capture = capture();
    assert_eq!(dropped().take(3).count().await, 3);
    assert_eq!(outcome(&capture, "dropped"), expected("CANCELLED", "3", ""));
    assert_eq!(capture.spans().named("agent.execute")[0].text("dropped.inside"), "true");
    let waiting = writer(vec![Ok(1)]).boxed().next().now_or_never();
    assert!(waiting.is_none());
    assert_eq!(outcome(&capture, "writer"), expected("CANCELLED", "0", ""));
}

#[tokio::test]
async fn a_stream_that_is_never_polled_is_no_unit_and_its_arguments_are_evaluated_at_the_call() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    #[instrument_agent(id = format!("call-{}", CALLS.fetch_add(1, Ordering::Relaxed)), action = "x")]
    fn lazy() -> impl Stream<Item = u32> {
        stream::empty()
    }
    let capture = capture();
    drop(lazy());
    assert_eq!(capture.spans().len(), 0);
    let later = lazy();
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    assert_eq!(later.count().await, 0);
    assert_eq!(capture.spans().named("agent.execute")[0].text("agent.id"), "call-1");
}

#[tokio::test]
async fn the_stream_belongs_to_the_run_of_its_call() {
    let capture = capture();
    let call = async { writer(vec![Ok(1)]) };
    let stream = hub_otel::workflow("outer").run_with(call, |_, _| {}).await;
    tokio::spawn(stream.count()).await.unwrap();
    let spans = capture.spans();
    let outer = spans.iter().find(|span| span.text("workflow.id") == "outer").unwrap();
    let unit = spans.iter().find(|span| span.text("agent.id") == "writer").unwrap();
    assert_eq!((&unit.trace_id, &unit.parent_id), (&outer.trace_id, &outer.span_id));
    assert_eq!(unit.text("workflow.run.id"), outer.text("workflow.run.id"));
}

#[tokio::test]
async fn two_streams_polled_in_turn_on_one_thread_keep_their_runs_apart() {
    #[instrument_workflow(id = "w", run_id = run)]
    fn workflow(run: u32) -> impl Stream<Item = u32> {
        numbers(3).then(move |number| async move {
            token().await;
            run * 10 + number
        })
    }
    let capture = capture();
    let mut items: Vec<_> = stream::select(workflow(1), workflow(2)).collect().await;
    items.sort_unstable();
    assert_eq!(items, [11, 12, 13, 21, 22, 23]);
    let spans = capture.spans();
    for run in ["1", "2"] {
        let workflow = spans.named("workflow.execute");
        let workflow = workflow.iter().find(|span| span.text("workflow.run.id") == run).unwrap();
        assert_eq!(workflow.text("hub_otel.stream.items"), "3");
        let tokens = spans.named("agent.execute");
        let mut tokens = tokens.iter().filter(|span| span.text("workflow.run.id") == run);
        assert!(tokens.all(|token| token.parent_id == workflow.span_id));
    }
    assert_eq!(spans.named("agent.execute").len(), 6);
}

#[tokio::test]
async fn a_panic_fails_the_unit_and_reaches_the_caller() {
    #[instrument_agent(id = "panics", action = "x")]
    fn panics() -> impl Stream<Item = u32> {
        stream::iter([1, 2]).map(|item| if item == 2 { panic!("item {item}") } else { item })
    }
    let capture = capture();
    let caught = std::panic::AssertUnwindSafe(panics().collect::<Vec<_>>()).catch_unwind().await;
    assert_eq!(*caught.unwrap_err().downcast::<String>().unwrap(), "item 2");
    assert_eq!(outcome(&capture, "panics"), expected("FAILED", "1", "panic"));
}

#[tokio::test]
async fn ten_thousand_items_are_one_span_of_constant_size() {
    let capture = capture();
    #[instrument_agent(id = "many", action = "x")]
    fn many() -> impl Stream<Item = Item> {
        stream::iter(0..10_000).map(|_| reset())
    }
    let mut stream = std::pin::pin!(many());
    let before = stream.as_ref().get_ref().size_hint();
    assert_eq!(before, (10_000, Some(10_000)));
    assert_eq!(stream.as_mut().count().await, 10_000);
    assert_eq!(outcome(&capture, "many"), expected("FAILED", "10000", "String"));
    let spans = capture.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans.named("agent.execute")[0].events.len(), 1);
}

#[tokio::test]
async fn size_hint_and_items_after_the_end_are_those_of_the_stream() {
    #[instrument_agent(id = "hint", action = "x")]
    fn hint() -> impl Stream<Item = u32> + Unpin {
        stream::iter([1, 2, 3])
    }
    let capture = capture();
    let mut stream = hint();
    assert_eq!(stream.size_hint(), (3, Some(3)));
    assert_eq!(stream.next().await, Some(1));
    assert_eq!(stream.size_hint(), (2, Some(2)));
    assert_eq!(stream.by_ref().count().await, 2);
    assert_eq!(stream.next().await, None);
    drop(stream);
    assert_eq!(outcome(&capture, "hint"), expected("SUCCESS", "3", ""));
}

#[tokio::test]
async fn the_builder_runs_a_stream_as_a_unit() {
    let capture = capture();
    let lines = [Ok("a"), Err(std::io::Error::other("reset")), Ok("b")];
    let unit = hub_otel::agent("reader", "read").field("file", "f").run_stream(stream::iter(lines));
    assert_eq!(unit.count().await, 3);
    assert_eq!(outcome(&capture, "reader"), expected("FAILED", "3", "io_other"));
    let unit = hub_otel::agent("counter", "count").run_stream_with(numbers(5), |item, outcome| {
        if *item == 4 {
            outcome.status(UnitStatus::Failed);
        }
    });
    assert_eq!(unit.take(2).count().await, 2);
    assert_eq!(outcome(&capture, "counter"), expected("CANCELLED", "2", ""));
}

#[test]
fn without_telemetry_the_stream_runs_unchanged() {
    #[instrument_agent(id = "inert", action = "x")]
    fn inert() -> impl Stream<Item = u32> + Unpin {
        stream::iter([1])
    }
    let mut stream = inert();
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(stream.poll_next_unpin(&mut cx), Poll::Ready(Some(1)));
    assert_eq!(stream.poll_next_unpin(&mut cx), Poll::Ready(None));
}
