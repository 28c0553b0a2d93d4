//! Calls of every shape that a budget refuses: streams, futures, and functions that return them.

use crate::budget::own::CallError;
use crate::warnings::Events;
use futures_util::stream::{self, BoxStream, LocalBoxStream};
use futures_util::{Stream, StreamExt, future::BoxFuture};
use hub_otel::testing::capture;
use hub_otel::{Budget, BudgetLimit, current, instrument_llm, instrument_tool, workflow};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

type Item = Result<u64, CallError>;

const REFUSED: Item = Err(CallError::OutOfBudget(BudgetLimit::LlmCalls));

/// Counts the requests that reach a provider.
#[derive(Clone, Default)]
struct Server(Arc<AtomicU64>);

impl Server {
    fn request(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The request is sent by the first poll.
    fn chunks(&self) -> impl Stream<Item = Item> + Send + Unpin + use<> {
        let server = self.clone();
        Box::pin(stream::once(async move { Ok(server.request()) }).chain(stream::iter([Ok(0)])))
    }

    #[instrument_llm(provider = "openai", model = "m")]
    fn opaque(&self) -> impl Stream<Item = Item> + use<> {
        self.chunks()
    }

    #[instrument_llm(provider = "openai", model = "m", timeout = Duration::from_secs(60))]
    fn in_time(&self) -> impl Stream<Item = Item> + use<> {
        self.chunks()
    }

    #[instrument_llm(provider = "openai", model = "m")]
    fn boxed(&self) -> BoxStream<'static, Item> {
        self.chunks().boxed()
    }

    #[instrument_llm(provider = "openai", model = "m")]
    fn opened(&self) -> Result<impl Stream<Item = Item> + use<>, CallError> {
        Ok(self.chunks())
    }

    /// The request is sent before the stream exists.
    #[instrument_llm(provider = "openai", model = "m")]
    async fn sent(&self) -> impl Stream<Item = Item> + use<> {
        let reply = self.request();
        tokio::task::yield_now().await;
        stream::iter([Ok(reply), Ok(0)])
    }

    #[instrument_llm(provider = "openai", model = "m")]
    async fn sent_boxed(&self) -> BoxStream<'static, Item> {
        stream::iter([Ok(self.request()), Ok(0)]).boxed()
    }

    #[instrument_llm(provider = "openai", model = "m")]
    async fn sent_local(&self) -> LocalBoxStream<'_, Item> {
        stream::iter([Ok(self.request()), Ok(0)]).boxed_local()
    }

    #[instrument_llm(provider = "openai", model = "m")]
    async fn sent_opened(&self) -> Result<BoxStream<'static, Item>, CallError> {
        Ok(stream::iter([Ok(self.request()), Ok(0)]).boxed())
    }

    #[instrument_llm(provider = "openai", model = "m")]
    fn future(&self) -> impl Future<Output = Item> + use<> {
        let server = self.clone();
        async move { Ok(server.request()) }
    }

    #[instrument_llm(provider = "openai", model = "m", timeout = Duration::from_secs(60))]
    fn boxed_future(&self) -> BoxFuture<'static, Item> {
        let server = self.clone();
        Box::pin(async move { Ok(server.request()) })
    }

    /// Returns a stream whose request is sent by the future.
    #[instrument_llm(provider = "openai", model = "m")]
    fn future_of_stream(&self) -> BoxFuture<'static, BoxStream<'static, Item>> {
        let server = self.clone();
        Box::pin(async move { stream::iter([Ok(server.request()), Ok(0)]).boxed() })
    }

    /// Has items that cannot represent a refusal: it is made and charged.
    #[instrument_llm(provider = "openai", model = "m")]
    fn anyway(&self) -> impl Stream<Item = u64> + use<> {
        let server = self.clone();
        stream::once(async move { server.request() })
    }
}

#[async_trait::async_trait]
trait Model {
    async fn complete(&self) -> Item;
}

#[async_trait::async_trait]
impl Model for Server {
    #[instrument_llm(provider = "openai", model = "m")]
    async fn complete(&self) -> Item {
        Ok(self.request())
    }
}

/// A call of one shape, reduced to its items.
type Call = for<'s> fn(&'s Server) -> Pin<Box<dyn Future<Output = Vec<Item>> + 's>>;

const CALLS: [(&str, Call); 12] = [
    ("opaque", |server| Box::pin(server.opaque().collect())),
    ("in_time", |server| Box::pin(server.in_time().collect())),
    ("boxed", |server| Box::pin(server.boxed().collect())),
    ("opened", |server| Box::pin(async { server.opened().unwrap().collect().await })),
    ("sent", |server| Box::pin(async { server.sent().await.collect().await })),
    ("sent_boxed", |server| Box::pin(async { server.sent_boxed().await.collect().await })),
    ("sent_local", |server| Box::pin(async { server.sent_local().await.collect().await })),
    ("sent_opened", |server| {
        Box::pin(async {
            match server.sent_opened().await {
                Ok(stream) => stream.collect().await,
                Err(error) => vec![Err(error)],
            }
        })
    }),
    ("future", |server| Box::pin(async { vec![server.future().await, Ok(0)] })),
    ("boxed_future", |server| Box::pin(async { vec![server.boxed_future().await, Ok(0)] })),
    ("future_of_stream", |server| {
        Box::pin(async { server.future_of_stream().await.collect().await })
    }),
    ("complete", |server| Box::pin(async { vec![server.complete().await, Ok(0)] })),
];

#[tokio::test]
async fn a_call_of_every_shape_is_refused_before_its_request() {
    for (name, call) in CALLS {
        let (capture, server) = (capture(), Server::default());
        workflow("research")
            .budget(Budget::new().llm_calls(1))
            .run(async {
                assert_eq!(call(&server).await, [Ok(1), Ok(0)], "{name}");
                let refused = call(&server).await;
                assert_eq!(refused[0], REFUSED, "{name}");
                assert!(refused[1..].iter().all(|item| *item == Ok(0)), "{name}");
                assert_eq!(current().spent().map(|spent| spent.llm_calls()), Some(1), "{name}");
            })
            .await;
        assert_eq!(server.0.load(Ordering::Relaxed), 1, "{name}");
        let spans = capture.spans();
        let errors: Vec<_> =
            spans.named("chat m").iter().map(|span| span.text("error.type")).collect();
        assert_eq!(errors, ["", "budget_exceeded"], "{name}");
        // A call that was not made is in no metric of the provider.
        let counted = capture.metrics().value("gen_ai.client.operation.duration", &[]);
        assert_eq!(counted, 1.0, "{name}");
        capture.conformance().unwrap();
    }
}

#[tokio::test]
async fn a_refused_stream_ends_after_its_error() {
    let (capture, server) = (capture(), Server::default());
    let limited = workflow("research").budget(Budget::new().llm_calls(0));
    limited
        .run(async {
            assert_eq!(server.opaque().collect::<Vec<_>>().await, [REFUSED]);
            assert_eq!(server.sent().await.collect::<Vec<_>>().await, [REFUSED]);
            // The stream that continues after its error is not polled either.
            let mut stream = server.boxed();
            assert_eq!(stream.size_hint(), (1, Some(2)));
            assert_eq!(stream.next().await, Some(REFUSED));
            assert_eq!((stream.next().await, stream.size_hint()), (None, (0, Some(0))));
        })
        .await;
    assert_eq!(server.0.load(Ordering::Relaxed), 0);
    drop(capture);
}

#[tokio::test]
async fn a_stream_whose_items_cannot_represent_a_refusal_is_made_and_charged() {
    let (capture, server) = (capture(), Server::default());
    workflow("research")
        .budget(Budget::new().llm_calls(1))
        .run(async {
            for calls in [1, 2] {
                assert_eq!(server.anyway().collect::<Vec<_>>().await, [calls]);
            }
            assert_eq!(current().spent().map(|spent| spent.llm_calls()), Some(2));
        })
        .await;
    drop(capture);
}

#[tokio::test]
async fn a_tool_that_is_a_stream_is_refused() {
    #[instrument_tool]
    fn read(lines: u64) -> impl Stream<Item = Item> {
        stream::iter((0..lines).map(Ok))
    }
    let capture = capture();
    workflow("research")
        .budget(Budget::new().tool_calls(1))
        .run(async {
            assert_eq!(read(2).collect::<Vec<_>>().await, [Ok(0), Ok(1)]);
            let refused = Err(CallError::OutOfBudget(BudgetLimit::ToolCalls));
            assert_eq!(read(2).collect::<Vec<_>>().await, [refused]);
        })
        .await;
    drop(capture);
}

#[tokio::test]
async fn the_first_call_that_is_made_past_the_budget_is_reported_with_the_remedy() {
    use tracing_subscriber::layer::SubscriberExt;
    let (capture, server) = (capture(), Server::default());
    // Again, because `tracing` may miss a subscriber that is created while another test registers
    // the call site.
    let mut reported = Vec::new();
    for _ in 0..20 {
        let events = Events::of("budget.exceeded");
        let subscriber = tracing_subscriber::registry().with(events.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        let run = workflow("research").budget(Budget::new().llm_calls(2));
        run.run(async {
            for calls in 1..=5 {
                server.anyway().count().await;
                assert_eq!(current().spent().map(|spent| spent.llm_calls()), Some(calls));
            }
        })
        .await;
        drop(guard);
        reported = events.take();
        if !reported.is_empty() {
            break;
        }
    }
    drop(capture);
    let [reported] = &reported[..] else { panic!("{reported:?}") };
    assert!(
        reported.contains("budget.limit=llm_calls budget.used=3.0 budget.max=2.0"),
        "{reported}"
    );
    assert!(reported.contains("`From<hub_otel::BudgetExceeded>`"), "{reported}");
}
