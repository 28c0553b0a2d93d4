//! The run of units in spawned tasks, threads, thread pools, channels and callbacks.

use hub_otel::propagation::{RemoteContext, RunFnExt as _, RunFutureExt as _};
use hub_otel::testing::{Capture, capture};
use hub_otel::{instrument_agent, instrument_workflow};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use tokio::task::{JoinSet, yield_now};

#[instrument_agent(id = form, action = "work")]
async fn work(form: &'static str) {
    yield_now().await;
}

#[instrument_agent(id = form, action = "compute")]
fn compute(form: &'static str) -> usize {
    form.len()
}

/// Asserts that each of `forms` ran as an agent below the workflow's span, in its trace and run.
fn assert_in_run(capture: &Capture, forms: &[&str]) {
    let spans = capture.spans();
    let workflow = spans.named("workflow.execute")[0];
    let mut found = Vec::new();
    for agent in spans.named("agent.execute") {
        let form = agent.text("agent.id");
        assert_eq!(agent.text("workflow.run.id"), "run", "{form}");
        assert_eq!(agent.trace_id, workflow.trace_id, "{form}");
        assert_eq!(agent.parent_id, workflow.span_id, "{form}");
        found.push(form);
    }
    found.sort();
    let mut forms = forms.to_vec();
    forms.sort_unstable();
    assert_eq!(found, forms);
    capture.conformance().unwrap();
}

/// Runs `body` as the workflow of these tests, on the runtime's worker threads.
async fn run_workflow(body: impl Future<Output = ()>) -> Capture {
    #[instrument_workflow(id = "w", run_id = "run")]
    async fn workflow(body: impl Future<Output = ()>) {
        body.await;
    }
    let capture = capture();
    capture.run(workflow(body)).await;
    capture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spawned_block_belongs_to_the_current_run() {
    let capture = run_workflow(async {
        let spawned = async { work("spawn").await }.in_current_run();
        tokio::spawn(spawned).await.unwrap();
        let mut set = JoinSet::new();
        set.spawn(async { work("JoinSet").await }.in_current_run());
        set.join_all().await;
        let local = tokio::task::LocalSet::new();
        let not_send = std::rc::Rc::new(());
        local
            .run_until(async {
                let inside = async move {
                    work("LocalSet").await;
                    drop(not_send);
                };
                tokio::task::spawn_local(inside.in_current_run()).await.unwrap();
            })
            .await;
    })
    .await;
    assert_in_run(&capture, &["spawn", "JoinSet", "LocalSet"]);
}

#[tokio::test]
async fn a_spawned_block_without_the_run_starts_a_trace_of_its_own() {
    let capture = capture();
    hub_otel::workflow("w")
        .run(async {
            tokio::spawn(async { work("bare").await }).await.unwrap();
            tokio::spawn(work("called")).await.unwrap();
        })
        .await;
    let spans = capture.spans();
    let parents: Vec<_> = spans
        .named("agent.execute")
        .iter()
        .map(|agent| (agent.text("agent.id"), agent.parent_id.is_empty()))
        .collect();
    assert_eq!(parents, [("bare".to_owned(), true), ("called".to_owned(), false)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_threads_belong_to_the_current_run() {
    let capture = run_workflow(async {
        let blocking = (|| compute("spawn_blocking")).in_current_run();
        assert_eq!(tokio::task::spawn_blocking(blocking).await.unwrap(), 14);
        let thread = std::thread::spawn((|| compute("thread")).in_current_run());
        assert_eq!(thread.join().unwrap(), 6);
        let borrowed = "scope".to_owned();
        std::thread::scope(|scope| {
            let inside = (|| borrowed.len() + compute("scoped thread")).in_current_run();
            assert_eq!(scope.spawn(inside).join().unwrap(), 18);
        });
    })
    .await;
    assert_in_run(&capture, &["spawn_blocking", "thread", "scoped thread"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_pool_of_rayon_belongs_to_the_current_run() {
    let capture = run_workflow(async {
        let both = rayon::join(
            (|| compute("join a")).in_current_run(),
            (|| compute("join b")).in_current_run(),
        );
        assert_eq!(both, (6, 6));
        let run = RemoteContext::current();
        let sum: usize =
            ["map a", "map b"].into_par_iter().map(|form| run.in_scope(|| compute(form))).sum();
        assert_eq!(sum, 10);
    })
    .await;
    assert_in_run(&capture, &["join a", "join b", "map a", "map b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_a_channel_belongs_to_the_run_of_its_sender() {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
    let consumer = tokio::spawn(async move {
        while let Some((run, form)) = receiver.recv().await {
            let run: RemoteContext = run;
            match form {
                "parent" => hub_otel::agent(form, "work").parent(&run).run(async {}).await,
                form => run.scope(work(form)).await,
            }
        }
    });
    let capture = run_workflow(async move {
        sender.send((RemoteContext::current(), "scope")).await.unwrap();
        sender.send((RemoteContext::current(), "parent")).await.unwrap();
        drop(sender);
        consumer.await.unwrap();
    })
    .await;
    assert_in_run(&capture, &["scope", "parent"]);
}

#[tokio::test]
async fn a_unit_for_several_senders_links_to_them() {
    let capture = capture();
    let mut batch = Vec::new();
    for run in ["1", "2"] {
        let sender = async { RemoteContext::current() };
        batch.push(hub_otel::workflow("sender").run_id(run).run_with(sender, |_, _| {}).await);
    }
    #[instrument_workflow(id = "batch", links = batch)]
    async fn flush(batch: &[RemoteContext]) {
        let _ = batch;
    }
    flush(&batch).await;
    hub_otel::workflow("batch").links(batch).run(async {}).await;
    let spans = capture.spans();
    let of = |id: &str| -> Vec<_> {
        let found = spans.iter().filter(|span| span.text("workflow.id") == id);
        found.cloned().collect()
    };
    let senders: Vec<_> = of("sender").iter().map(|span| span.span_id.clone()).collect();
    let batches = of("batch");
    assert_eq!((senders.len(), batches.len()), (2, 2));
    for batch in batches {
        assert_eq!(batch.links, senders);
        assert_eq!(batch.parent_id, "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_outlives_its_run_stays_in_its_trace() {
    let (start, started) = tokio::sync::oneshot::channel();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let capture = run_workflow(async {
        let late = async {
            started.await.unwrap();
            work("late").await;
        };
        sender.send(tokio::spawn(late.in_current_run())).unwrap();
    })
    .await;
    start.send(()).unwrap();
    receiver.await.unwrap().await.unwrap();
    assert_in_run(&capture, &["late"]);
}

#[tokio::test]
async fn a_task_that_is_dropped_cancels_its_units_in_the_run_and_drops_its_values_there() {
    struct Logs;
    impl Drop for Logs {
        fn drop(&mut self) {
            hub_otel::agent("in drop", "clean").call(|| ());
        }
    }
    let capture = run_workflow(async {
        let task = tokio::spawn(
            async {
                let _held = Logs;
                std::future::pending::<()>().await;
            }
            .in_current_run(),
        );
        yield_now().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    })
    .await;
    assert_in_run(&capture, &["in drop"]);
}

#[test]
fn without_telemetry_the_values_are_what_they_were() {
    let closure = (|| 7).in_current_run();
    assert_eq!(closure(), 7);
    let future = async { 7 }.in_current_run();
    assert_eq!(futures_util::FutureExt::now_or_never(future), Some(7));
    assert_eq!(RemoteContext::current().in_scope(|| 7), 7);
}
