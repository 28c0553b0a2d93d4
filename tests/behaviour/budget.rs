//! Budgets: the account of a run across tasks, threads and segments.
#![expect(clippy::disallowed_methods, reason = "attributes of another library")]

use crate::gen_ai_metrics::call_span;
use crate::warnings::Events;
use futures_util::{StreamExt, TryStreamExt};
use hub_otel::otel::opentelemetry::KeyValue;
use hub_otel::propagation::{RunFnExt, RunFutureExt};
use hub_otel::testing::{Capture, capture};
use hub_otel::{Budget, BudgetExceeded, BudgetLimit, Segment, Spent, agent, current, workflow};
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A provider that counts its calls, each of 12,000 tokens for 3 cents.
struct Provider {
    tracers: SdkTracerProvider,
    calls: AtomicU64,
}

impl Provider {
    fn new(capture: &Capture) -> Self {
        let tracers = hub_otel::otel::capture_tracer_provider(capture);
        Self { tracers, calls: AtomicU64::new(0) }
    }

    /// Makes a call, as a library of another author records it, unless the budget is exceeded.
    fn call(&self) -> Result<(), BudgetExceeded> {
        current().check_budget()?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let attributes = vec![
            KeyValue::new("gen_ai.operation.name", "chat"),
            KeyValue::new("gen_ai.provider.name", "openai"),
            KeyValue::new("gen_ai.request.model", "gpt-4o"),
            KeyValue::new("gen_ai.usage.input_tokens", 12_000),
        ];
        call_span(&self.tracers, attributes);
        Ok(())
    }

    fn spent(&self) -> Spent {
        spent_by(self.calls.load(Ordering::Relaxed))
    }
}

fn spent_by(calls: u64) -> Spent {
    let cents = u32::try_from(calls * 3).unwrap();
    Spent::new()
        .with_usd(f64::from(cents) / 100.0)
        .with_tokens(12_000 * calls)
        .with_llm_calls(calls)
}

#[tokio::test]
async fn a_run_over_its_budget_fails_with_a_typed_error() {
    let capture = capture();
    let provider = Provider::new(&capture);
    let result: Result<(), BudgetExceeded> = workflow("research")
        .budget(Budget::new().usd(0.1))
        .run(async {
            loop {
                agent("planner", "plan").run(async { provider.call() }).await?;
            }
        })
        .await;
    let exceeded = result.unwrap_err();
    assert_eq!(exceeded.limit(), BudgetLimit::Usd);
    assert_eq!(
        exceeded.to_string(),
        "the budget is exceeded: usd is 0.120000 of 0.100000; the call was not started"
    );
    assert_eq!((exceeded.spent(), provider.calls.into_inner()), (spent_by(4), 4));
    let spans = capture.spans();
    let workflow = spans.named("workflow.execute")[0];
    assert_eq!(workflow.text("workflow.status"), "FAILED");
    assert_eq!(workflow.text("error.type"), "budget_exceeded");
    assert_eq!(workflow.text("workflow.cost.usd"), "0.12");
    let failed =
        capture.metrics().value("workflow.errors.total", &[("error_type", "budget_exceeded")]);
    assert_eq!(failed, 1.0);
}

#[tokio::test]
async fn an_exceeded_budget_is_identified_behind_erased_errors() {
    let capture = capture();
    let erased = || -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        current().check_budget()?;
        Ok(())
    };
    let io = || -> Result<(), io::Error> {
        current().check_budget()?;
        Ok(())
    };
    let budget = Budget::new().llm_calls(0);
    drop(workflow("erased").budget(budget).run(async { erased() }).await);
    drop(workflow("io").budget(budget).run(async { io() }).await);
    for span in capture.spans().named("workflow.execute") {
        assert_eq!(span.text("error.type"), "budget_exceeded");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_of_a_run_share_one_account() {
    let capture = capture();
    let provider = Arc::new(Provider::new(&capture));
    let run = workflow("research").budget(Budget::new().tokens(120_000)).run(async {
        let call = || {
            let provider = Arc::clone(&provider);
            move || provider.call()
        };
        let in_task = call();
        let agent = agent("searcher", "search").run(async move { in_task() });
        tokio::spawn(agent.in_current_run()).await.unwrap().unwrap();
        let in_thread = call();
        std::thread::spawn((move || in_thread().unwrap()).in_current_run()).join().unwrap();
        let here = call();
        while here().is_ok() {}
        assert_eq!(current().spent(), Some(provider.spent()));
    });
    capture.run(run).await;
    assert_eq!(provider.calls.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn a_run_continues_its_account_after_a_crash() {
    let capture = capture();
    let provider = Provider::new(&capture);
    let mut stored = None::<Segment>;
    // The process ends in the middle of the run: its future is dropped.
    let crashed = workflow("research").budget(Budget::new().usd(0.2)).run(async {
        for _ in 0..3 {
            provider.call().unwrap();
            stored = current().segment();
        }
        std::future::pending::<()>().await;
    });
    let mut crashed = Box::pin(crashed);
    assert!(futures_util::poll!(&mut crashed).is_pending());
    drop(crashed);
    let segment = stored.unwrap();
    assert_eq!(segment.spent(), Some(provider.spent()));
    // Budget and account are in the stored segment.
    let exceeded = workflow("research")
        .resume(segment)
        .run(async {
            loop {
                provider.call()?;
            }
        })
        .await;
    let exceeded: Result<(), BudgetExceeded> = exceeded;
    assert_eq!(exceeded.unwrap_err().spent(), provider.spent());
    assert_eq!(provider.calls.load(Ordering::Relaxed), 7);
}

#[tokio::test]
async fn a_budget_within_a_budget_is_charged_to_both() {
    let capture = capture();
    let provider = Provider::new(&capture);
    workflow("research")
        .budget(Budget::new().llm_calls(3))
        .run(async {
            let inner = Budget::new().llm_calls(2);
            let limited = || async { while provider.call().is_ok() {} };
            agent("first", "call").budget(inner).run(limited()).await;
            agent("second", "call").budget(inner).run(limited()).await;
        })
        .await;
    assert_eq!(provider.calls.into_inner(), 3);
}

#[test]
fn without_a_budget_nothing_is_limited() {
    let capture = capture();
    workflow("research").call(|| {
        assert_eq!(current().spent(), None);
        assert!(current().check_budget().is_ok());
    });
    assert!(current().check_budget().is_ok());
    drop(capture);
}

/// Calls of a model and of a tool that are units, for a provider that counts them.
pub(crate) mod own {
    use super::*;
    use futures_util::{Stream, stream};
    use hub_otel::{TimedOut, Usage};
    use std::future::Future;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    #[derive(Debug, PartialEq, hub_otel::ErrorType)]
    pub(crate) enum CallError {
        OutOfBudget(BudgetLimit),
        TooSlow,
    }

    impl std::fmt::Display for CallError {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{self:?}")
        }
    }

    impl std::error::Error for CallError {}

    impl From<BudgetExceeded> for CallError {
        fn from(exceeded: BudgetExceeded) -> Self {
            Self::OutOfBudget(exceeded.limit())
        }
    }

    impl From<TimedOut> for CallError {
        fn from(_: TimedOut) -> Self {
            Self::TooSlow
        }
    }

    #[derive(Default)]
    pub(super) struct Server {
        pub(super) calls: AtomicU64,
        pub(super) tools: AtomicU64,
    }

    impl Server {
        #[hub_otel::instrument_llm(provider = "openai", model = "gpt-4o")]
        pub(super) async fn chat(&self) -> Result<u64, CallError> {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            // 3 cents.
            current().usage(Usage::new(12_000, 0));
            Ok(call)
        }

        #[hub_otel::instrument_llm(
            provider = "openai",
            model = "gpt-4o",
            timeout = Duration::from_secs(60)
        )]
        pub(super) async fn chat_in_time(&self) -> Result<Option<u64>, CallError> {
            Ok(Some(self.calls.fetch_add(1, Ordering::Relaxed)))
        }

        #[hub_otel::instrument_tool(name = "search")]
        pub(super) fn search(&self) -> Result<(), CallError> {
            self.tools.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        /// Has an error that cannot represent a refusal: it is made and charged.
        #[hub_otel::instrument_llm(provider = "openai", model = "gpt-4o")]
        pub(super) fn chat_anyway(&self) -> Result<(), std::fmt::Error> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            current().usage(Usage::new(12_000, 0));
            Ok(())
        }

        pub(super) fn chat_by_builder(&self) -> impl Future<Output = Result<(), BudgetExceeded>> {
            hub_otel::llm("openai", "gpt-4o").run_in_budget(async {
                self.calls.fetch_add(1, Ordering::Relaxed);
                current().usage(Usage::new(12_000, 0));
                Ok(())
            })
        }

        pub(super) fn stream_by_builder(
            &self,
        ) -> impl Stream<Item = Result<(), BudgetExceeded>> + Unpin {
            let answer = stream::once(async {
                self.calls.fetch_add(1, Ordering::Relaxed);
                current().usage(Usage::new(12_000, 0));
                Ok(())
            });
            hub_otel::llm("openai", "gpt-4o").run_stream_in_budget(Box::pin(answer))
        }

        pub(super) fn calls(&self) -> u64 {
            self.calls.load(Ordering::Relaxed)
        }
    }
}

use own::{CallError, Server};

#[tokio::test]
async fn a_call_over_the_budget_is_not_made_and_its_unit_fails() {
    #[hub_otel::instrument_workflow(id = "research", budget(usd = 0.05, tool_calls = 1))]
    async fn research(server: &Server) -> Result<(), CallError> {
        server.search()?;
        assert_eq!(server.search(), Err(CallError::OutOfBudget(BudgetLimit::ToolCalls)));
        loop {
            server.chat().await?;
        }
    }
    let (capture, server) = (capture(), Server::default());
    assert_eq!(research(&server).await, Err(CallError::OutOfBudget(BudgetLimit::Usd)));
    assert_eq!((server.calls(), server.tools.load(Ordering::Relaxed)), (2, 1));
    let spans = capture.spans().render(|span| {
        let (error, cost) = (span.text("error.type"), span.text("gen_ai.usage.cost"));
        format!("{} {error}{cost}", span.name).trim_end().to_owned()
    });
    insta::assert_snapshot!(spans, @r"
    workflow.execute out_of_budget
      execute_tool search
      execute_tool search budget_exceeded
      chat gpt-4o 0.03
      chat gpt-4o 0.03
      chat gpt-4o budget_exceeded
    ");
    let metrics = capture.metrics();
    // A call that was not made is in no metric of the provider.
    assert_eq!(metrics.value("gen_ai.client.operation.duration", &[]), 2.0);
    assert_eq!(metrics.value("gen_ai.execute_tool.duration", &[]), 1.0);
    assert_eq!(metrics.value("agent.cost", &[("workflow_id", "research")]), 0.06);
    capture.conformance().unwrap();
}

#[test]
fn four_threads_and_their_tasks_make_no_call_too_many() {
    let (capture, server) = (capture(), Arc::new(Server::default()));
    workflow("research").budget(Budget::new().llm_calls(50)).call(|| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let server = Arc::clone(&server);
                let work = move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                    runtime.block_on(async {
                        let chat = || {
                            let server = Arc::clone(&server);
                            async move { while server.chat().await.is_ok() {} }.in_current_run()
                        };
                        let tasks = [tokio::spawn(chat()), tokio::spawn(chat())];
                        for task in tasks {
                            task.await.expect("no panic");
                        }
                    });
                };
                scope.spawn(work.in_current_run());
            }
        });
        assert_eq!(current().spent().map(|spent| spent.llm_calls()), Some(50));
        assert_eq!(current().spent(), Some(spent_by(50)));
    });
    assert_eq!(server.calls(), 50);
    let counted = capture.metrics().value("gen_ai.client.operation.duration", &[]);
    assert_eq!(counted, 50.0);
}

#[tokio::test]
async fn calls_of_every_shape_are_charged_and_refused_where_the_error_permits() {
    let (capture, server) = (capture(), Server::default());
    workflow("research")
        .budget(Budget::new().llm_calls(5))
        .run(async {
            server.chat().await.unwrap();
            server.chat_in_time().await.unwrap();
            server.chat_anyway().unwrap();
            server.chat_by_builder().await.unwrap();
            server.stream_by_builder().try_collect::<Vec<_>>().await.unwrap();
            assert!(server.chat().await.is_err());
            assert!(server.chat_in_time().await.is_err());
            assert!(server.chat_by_builder().await.is_err());
            let streamed: Vec<_> = server.stream_by_builder().collect().await;
            assert!(matches!(streamed[..], [Err(_)]), "{streamed:?}");
            assert_eq!(server.calls(), 5);
            server.chat_anyway().unwrap();
            assert_eq!(current().spent().map(|spent| spent.llm_calls()), Some(6));
        })
        .await;
    assert_eq!(server.calls(), 6);
    drop(capture);
}

#[tokio::test]
async fn eighty_percent_of_a_limit_are_reported_once() {
    use tracing_subscriber::layer::SubscriberExt;
    let (capture, server) = (capture(), Server::default());
    let run = || {
        workflow("research")
            .budget(Budget::new().usd(0.3))
            .run(async { while server.chat().await.is_ok() {} })
    };
    // Again, because `tracing` may miss a subscriber that is created while another test registers
    // the call site.
    let mut warnings = Vec::new();
    for _ in 0..20 {
        let events = Events::of("budget.warning");
        let subscriber = tracing_subscriber::registry().with(events.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        run().await;
        drop(guard);
        warnings = events.take();
        if !warnings.is_empty() {
            break;
        }
    }
    drop(capture);
    assert_eq!(
        warnings,
        ["message=budget.warning budget.limit=usd budget.used=0.24 budget.max=0.3 "]
    );
}
