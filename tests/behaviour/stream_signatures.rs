//! Streams by the signature of their function and by the arguments of the attribute.

use crate::streams::{Item, expected, numbers, outcome, reset, token};
use futures_util::future::poll_immediate;
use futures_util::stream::{self, BoxStream, LocalBoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use hub_otel::testing::capture;
use hub_otel::{TimedOut, UnitStatus, instrument_agent};
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

#[tokio::test]
async fn boxed_streams_are_wrapped() {
    #[instrument_agent(id = "boxed", action = "x", fields(count))]
    fn boxed<'a>(count: &'a u32) -> BoxStream<'a, u32> {
        if *count == 0 {
            return stream::empty().boxed();
        }
        numbers(*count).boxed()
    }
    #[instrument_agent(id = "local", action = "x")]
    fn local(count: u32) -> LocalBoxStream<'static, u32> {
        numbers(count).boxed_local()
    }
    #[instrument_agent(id = "pinned", action = "x")]
    fn pinned(count: u32) -> Pin<Box<dyn Stream<Item = u32> + Send>> {
        Box::pin(numbers(count))
    }
    type Numbers = BoxStream<'static, u32>;
    #[instrument_agent(id = "alias", action = "x", stream)]
    fn alias(count: u32) -> Numbers {
        numbers(count).boxed()
    }
    let capture = capture();
    assert_eq!(boxed(&0).count().await + boxed(&1).count().await, 1);
    assert_eq!(local(2).count().await, 2);
    assert_eq!(pinned(3).count().await, 3);
    assert_eq!(alias(4).count().await, 4);
    let spans = capture.spans();
    let items: Vec<_> = spans
        .named("agent.execute")
        .iter()
        .map(|span| span.text("hub_otel.stream.items"))
        .collect();
    assert_eq!(items, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn an_error_in_place_of_the_stream_fails_the_unit_at_once() {
    #[instrument_agent(id = "opened", action = "x")]
    fn opened(count: &str) -> Result<impl Stream<Item = Item> + use<>, std::num::ParseIntError> {
        let count = count.parse()?;
        Ok(numbers(count).map(Ok))
    }
    let first = capture();
    assert!(opened("x").is_err());
    assert_eq!(outcome(&first, "opened"), expected("FAILED", "", "parse_int_error"));
    drop(first);
    let second = capture();
    assert_eq!(opened("2").unwrap().count().await, 2);
    assert_eq!(outcome(&second, "opened"), expected("SUCCESS", "2", ""));
}

#[tokio::test]
async fn the_unit_of_an_async_function_ends_with_its_stream() {
    #[instrument_agent(id = "answer", action = "x", fields(count))]
    async fn answer(count: u32) -> impl Stream<Item = Item> {
        token().await;
        numbers(count).map(Ok).chain(stream::once(async { reset() }))
    }
    #[instrument_agent(id = "tried", action = "x")]
    async fn tried(count: &str) -> Result<BoxStream<'static, u32>, std::num::ParseIntError> {
        token().await;
        let count = count.parse()?;
        Ok(numbers(count).boxed())
    }
    #[instrument_agent(id = "future", action = "x", fields(count))]
    fn future(count: u32) -> impl Future<Output = BoxStream<'static, u32>> {
        async move { numbers(count).boxed() }
    }
    let first = capture();
    assert_eq!(answer(2).await.count().await, 3);
    assert_eq!(outcome(&first, "answer"), expected("FAILED", "3", "String"));
    let spans = first.spans();
    let find = |id| spans.iter().find(|span| span.text("agent.id") == id).unwrap();
    assert_eq!(find("token").parent_id, find("answer").span_id);
    assert!(tried("x").await.is_err());
    assert_eq!(outcome(&first, "tried"), expected("FAILED", "", "parse_int_error"));
    drop(first);
    let second = capture();
    assert_eq!(tried("2").await.unwrap().count().await, 2);
    assert_eq!(outcome(&second, "tried"), expected("SUCCESS", "2", ""));
    drop(answer(1).await);
    assert_eq!(outcome(&second, "answer"), expected("CANCELLED", "0", ""));
    assert!(poll_immediate(answer(1)).await.is_none());
    assert_eq!(future(3).await.count().await, 3);
    assert_eq!(outcome(&second, "future"), expected("SUCCESS", "3", ""));
}

#[tokio::test]
async fn methods_and_traits_return_streams() {
    struct Model;
    #[instrument_agent(action = "x")]
    impl Model {
        fn plain(&self) -> u32 {
            3
        }
        fn tokens(&self) -> impl Stream<Item = u32> + '_ {
            numbers(self.plain())
        }
    }
    #[async_trait::async_trait]
    trait Answers {
        async fn answer(&self) -> BoxStream<'static, u32>;
    }
    #[async_trait::async_trait]
    impl Answers for Model {
        #[instrument_agent(action = "x")]
        async fn answer(&self) -> BoxStream<'static, u32> {
            token().await;
            numbers(2).boxed()
        }
    }
    let capture = capture();
    assert_eq!(Model.tokens().count().await, 3);
    assert_eq!(outcome(&capture, "tokens"), expected("SUCCESS", "3", ""));
    assert_eq!(Model.answer().await.count().await, 2);
    assert_eq!(outcome(&capture, "answer"), expected("SUCCESS", "2", ""));
}

#[tokio::test]
async fn arguments_refer_to_the_items() {
    fn is_reset(error: &String) -> bool {
        error == "connection reset"
    }
    fn status(item: &u32) -> UnitStatus {
        if *item == 2 { UnitStatus::Rejected } else { UnitStatus::Success }
    }
    #[instrument_agent(id = "expected", action = "x", err(expected = is_reset))]
    fn expects(items: Vec<Item>) -> impl Stream<Item = Item> {
        stream::iter(items)
    }
    #[instrument_agent(id = "none", action = "x", none = error)]
    fn none() -> impl Stream<Item = Option<u32>> {
        stream::iter([Some(1), None])
    }
    #[instrument_agent(id = "status", action = "x", status = status)]
    fn rejects() -> impl Stream<Item = u32> {
        numbers(3)
    }
    let first = capture();
    expects(vec![reset(), Ok(1)]).count().await;
    assert_eq!(outcome(&first, "expected"), expected("SUCCESS", "2", ""));
    assert_eq!(first.spans().named("agent.execute")[0].text("hub_otel.expected_error"), "true");
    none().count().await;
    assert_eq!(outcome(&first, "none"), expected("FAILED", "2", "none"));
    rejects().count().await;
    assert_eq!(outcome(&first, "status"), expected("REJECTED", "3", ""));
    drop(first);
    let second = capture();
    expects(vec![reset(), Err("other".to_owned())]).count().await;
    assert_eq!(outcome(&second, "expected"), expected("FAILED", "2", "String"));
    assert_eq!(second.spans().named("agent.execute")[0].text("error.message"), "other");
}

#[derive(Debug, PartialEq)]
struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("late")
    }
}

impl From<TimedOut> for Late {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

#[tokio::test]
async fn a_timeout_limits_the_whole_stream() {
    const LIMIT: Duration = Duration::from_millis(20);
    #[instrument_agent(id = "waits", action = "x", timeout = LIMIT)]
    fn waits() -> impl Stream<Item = Result<u32, Late>> {
        stream::iter([Ok(1)]).chain(stream::once(pending()))
    }
    #[instrument_agent(id = "endless", action = "x", timeout = LIMIT)]
    fn endless() -> BoxStream<'static, Result<u32, Late>> {
        stream::repeat_with(|| Ok(1)).boxed()
    }
    #[instrument_agent(id = "short", action = "x", timeout = LIMIT)]
    fn short() -> impl Stream<Item = Result<u32, Late>> + Unpin {
        stream::iter([Ok(1)])
    }
    let capture = capture();
    assert_eq!(waits().size_hint().0, 0);
    assert_eq!(waits().collect::<Vec<_>>().await, [Ok(1), Err(Late)]);
    assert_eq!(outcome(&capture, "waits"), expected("TIMED_OUT", "2", "timeout"));
    assert_eq!(endless().try_for_each(|_| async { Ok(()) }).await, Err(Late));
    assert_eq!(outcome(&capture, "endless").0, "TIMED_OUT");
    let mut ended = short();
    assert_eq!(ended.by_ref().count().await, 1);
    tokio::time::sleep(2 * LIMIT).await;
    assert_eq!(ended.next().await, None);
    assert_eq!(outcome(&capture, "short"), expected("SUCCESS", "1", ""));
}
