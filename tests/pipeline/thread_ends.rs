//! Units in thread-locals, which the end of a thread drops, and units that their destructors start.
//! The cases run in a child process.

use crate::kit;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Receiver, text};
use std::time::Duration;

#[test]
fn units_in_thread_locals_end_with_their_thread_and_are_counted() {
    let receiver = Receiver::start();
    let mut command = kit::case("thread_ends::case::thread_locals");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint().as_str()),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("RUST_LOG", "debug"),
    ]);
    let mut process = Process::spawn(&mut command);
    let status = process.exit(Duration::from_secs(30));
    assert!(status.success(), "{status}\n{}\n{}", process.stdout(), process.stderr());
    let count = |id: &str, status: &str| {
        let spans = receiver.spans();
        let of_id = spans.iter().filter(|span| text(&span.attributes, "agent.id") == Some(id));
        of_id.filter(|span| text(&span.attributes, "agent.status") == Some(status)).count()
    };
    for id in ["first_used_before", "first_used_after", "other_thread", "inner"] {
        assert_eq!(count(id, "CANCELLED"), 1, "{id}: {}", process.stderr());
    }
    // Counted: four futures, two functions that destructors call, one unit of the thread itself,
    // one unit that the destructor of a future's local calls.
    assert_eq!(receiver.latest_sum("agent.runs.total"), 8.0, "{}", process.stderr());
    assert_eq!(receiver.latest_sum("workflow.runs.total"), 1.0);
    assert_eq!(receiver.latest_sum("workflows.active"), 0.0);
    let ended_by = |span: &hub_otel_tests::receiver::Item<_>| {
        let span: &opentelemetry_proto::tonic::trace::v1::Span = &span.item;
        text(&span.attributes, "hub_otel.ended_by").is_some()
    };
    assert!(!receiver.spans().iter().any(ended_by), "each ended by itself");
}

mod case {
    use hub_otel::{agent, current, instrument_agent, workflow};
    use std::cell::RefCell;
    use std::pin::Pin;
    use std::task::{Context, Waker};

    type Futures = RefCell<Vec<Pin<Box<dyn Future<Output = ()> + Send>>>>;

    #[instrument_agent(id = "destructor", action = "run")]
    fn in_destructor() -> u32 {
        current().record("late", 1);
        7
    }

    /// Calls a unit when its thread ends.
    struct CallsUnit;

    impl Drop for CallsUnit {
        fn drop(&mut self) {
            assert_eq!(in_destructor(), 7);
            assert!(current().run_id().is_none());
            tracing::info!("of a destructor");
        }
    }

    thread_local! {
        static BEFORE: Futures = const { RefCell::new(Vec::new()) };
        static BEFORE_CALL: CallsUnit = const { CallsUnit };
        static AFTER: Futures = const { RefCell::new(Vec::new()) };
        static AFTER_CALL: CallsUnit = const { CallsUnit };
    }

    fn open(id: &'static str) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut future: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(agent(id, "wait").run(std::future::pending::<()>()));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        future
    }

    /// A workflow with an open agent, and a local whose destructor calls a unit.
    fn open_workflow() -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut future: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(workflow("outer").run(async {
                struct Local;
                impl Drop for Local {
                    fn drop(&mut self) {
                        agent("local", "drop").call(|| tracing::info!("of a local's destructor"));
                    }
                }
                let _local = Local;
                agent("inner", "wait").run(std::future::pending::<()>()).await
            }));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        future
    }

    #[test]
    #[ignore = "runs in a child process"]
    fn thread_locals() {
        let telemetry = hub_otel::init("threads").expect("the install");
        // Destroyed in the reverse order of the first use: `BEFORE` after the library's own.
        std::thread::spawn(|| {
            BEFORE.with(|futures| assert!(futures.borrow().is_empty()));
            BEFORE_CALL.with(|_| ());
            agent("thread", "run").call(|| tracing::info!("of the thread"));
            AFTER.with(|futures| futures.borrow_mut().push(open("first_used_after")));
            AFTER_CALL.with(|_| ());
            BEFORE.with(|futures| futures.borrow_mut().push(open("first_used_before")));
            BEFORE.with(|futures| futures.borrow_mut().push(open_workflow()));
        })
        .join()
        .expect("no panic");
        // The thread that drops the future has used OpenTelemetry's context and no unit.
        let future = open("other_thread");
        std::thread::spawn(|| {
            BEFORE.with(|futures| futures.borrow_mut().push(future));
            hub_otel::otel::opentelemetry::Context::map_current(|_| ());
        })
        .join()
        .expect("no panic");
        assert!(telemetry.shutdown_blocking().is_complete());
    }
}
