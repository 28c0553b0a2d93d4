//! Random trees of units with cancellation, panics, failures, late facts and sampling, compared
//! with a model.

use futures_util::FutureExt;
use hub_otel::testing::{Capture, Settings};
use hub_otel::{
    ErrorType, TimedOut, agent, current, instrument_agent, instrument_workflow, workflow,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;
use tokio::task::yield_now;

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Ok,
    Err,
    Panic,
    TimedOut,
    /// A deadline that has passed when the body waits for the first time.
    Deadline,
    Said,
    Hang,
}

/// Error of a unit of the tree.
#[derive(Debug, ErrorType)]
struct Failure;

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no")
    }
}

impl From<TimedOut> for Failure {
    fn from(_: TimedOut) -> Self {
        Self
    }
}

type Body = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

#[instrument_workflow(id = "w")]
async fn annotated_workflow(body: Body) -> Result<(), Failure> {
    body.await
}

#[instrument_agent(id = "a", action = "x")]
async fn annotated_agent(body: Body) -> Result<(), Failure> {
    body.await
}

#[instrument_workflow(id = "w", timeout = Duration::ZERO)]
async fn late_workflow(body: Body) -> Result<(), Failure> {
    body.await
}

#[instrument_agent(id = "a", action = "x", timeout = Duration::ZERO)]
async fn late_agent(body: Body) -> Result<(), Failure> {
    body.await
}

#[derive(Debug, Clone)]
struct Node {
    workflow: bool,
    /// By the attribute, else by the builder.
    annotated: bool,
    end: End,
    /// Children run at once, or one after the other.
    joined: bool,
    /// The children are given up after so many polls of this unit.
    patience: Option<u8>,
    spawned: bool,
    children: Vec<Node>,
}

fn node() -> impl Strategy<Value = Node> {
    let end = prop_oneof![
        4 => Just(End::Ok), 2 => Just(End::Err), 1 => Just(End::Panic), 1 => Just(End::TimedOut),
        1 => Just(End::Deadline), 1 => Just(End::Said), 1 => Just(End::Hang),
    ];
    let patience = proptest::option::weighted(0.3, 0_u8..4);
    let own = (any::<[bool; 4]>(), end, patience);
    let leaf = own.clone().prop_map(|own| assemble(own, Vec::new()));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (own.clone(), proptest::collection::vec(inner, 0..4))
            .prop_map(|(own, children)| assemble(own, children))
    })
}

fn assemble(
    ([workflow, annotated, joined, spawned], end, patience): ([bool; 4], End, Option<u8>),
    children: Vec<Node>,
) -> Node {
    Node { workflow, annotated, end, joined, patience, spawned, children }
}

/// Record of the executed tree: the parent and the end of each started unit.
type Log = std::sync::Arc<std::sync::Mutex<BTreeMap<usize, Entry>>>;

#[derive(Debug, Clone)]
struct Entry {
    parent: Option<usize>,
    workflow: bool,
    status: &'static str,
}

struct Polls<F>(F, u8);

impl<F: Future<Output = ()> + Unpin> Future for Polls<F> {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        if self.1 == 0 {
            return std::task::Poll::Ready(());
        }
        self.1 -= 1;
        cx.waker().wake_by_ref();
        Pin::new(&mut self.0).poll(cx)
    }
}

fn run(node: Node, parent: Option<usize>, log: Log) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let spawned = node.spawned;
    let unit = AssertUnwindSafe(unit(node, parent, log)).catch_unwind().map(|_| ());
    if spawned {
        // A spawned task is aborted when the one that waits for it gives up.
        Box::pin(async move {
            let mut set = tokio::task::JoinSet::new();
            set.spawn(unit);
            set.join_next().await;
        })
    } else {
        Box::pin(unit)
    }
}

fn unit(node: Node, parent: Option<usize>, log: Log) -> Body {
    let (workflow, annotated, end) = (node.workflow, node.annotated, node.end);
    let body = async move {
        // What is never polled never gets here.
        let number = {
            let mut log = log.lock().unwrap();
            let number = log.len();
            let status = if end == End::Deadline { "TIMED_OUT" } else { "CANCELLED" };
            log.insert(number, Entry { parent, workflow, status });
            number
        };
        current().record("number", number as u64);
        yield_now().await;
        let children = node.children.into_iter().map(|child| run(child, Some(number), log.clone()));
        let work: Pin<Box<dyn Future<Output = ()> + Send>> = if node.joined {
            Box::pin(futures_util::future::join_all(children).map(|_| ()))
        } else {
            let children: Vec<_> = children.collect();
            Box::pin(async move {
                for child in children {
                    child.await;
                }
            })
        };
        match node.patience {
            Some(polls) => Polls(work, polls).await,
            None => work.await,
        }
        let ends = |status| log.lock().unwrap().get_mut(&number).unwrap().status = status;
        match node.end {
            End::Ok => ends("SUCCESS"),
            End::Err => {
                ends("FAILED");
                return Err(Failure);
            }
            End::Panic => {
                ends("FAILED");
                std::panic::resume_unwind(Box::new("no luck"));
            }
            End::TimedOut => {
                ends("TIMED_OUT");
                current().set_timed_out();
            }
            End::Said => {
                ends("FAILED");
                current().set_failed("reported");
            }
            End::Hang => pending().await,
            End::Deadline => unreachable!("it had no second poll"),
        }
        Ok(())
    };
    match (workflow, annotated, end) {
        (true, _, End::Deadline) => Box::pin(late_workflow(Box::pin(body))),
        (false, _, End::Deadline) => Box::pin(late_agent(Box::pin(body))),
        (true, true, _) => Box::pin(annotated_workflow(Box::pin(body))),
        (false, true, _) => Box::pin(annotated_agent(Box::pin(body))),
        (true, false, _) => Box::pin(hub_otel::workflow("w").run(body)),
        (false, false, _) => Box::pin(agent("a", "x").run(body)),
    }
}

fn check(
    capture: &Capture,
    log: &BTreeMap<usize, Entry>,
    sampled: bool,
) -> Result<(), TestCaseError> {
    let metrics = capture.metrics();
    for (workflow, name, label) in [(true, "workflow", "workflow_id"), (false, "agent", "agent_id")]
    {
        for status in ["SUCCESS", "FAILED", "TIMED_OUT", "CANCELLED", "REJECTED"] {
            let expected = log
                .values()
                .filter(|entry| entry.workflow == workflow && entry.status == status)
                .count();
            for metric in [format!("{name}.runs.total"), format!("{name}.duration")] {
                let value = metrics.value(&metric, &[("status", status)]);
                prop_assert_eq!(
                    value,
                    expected as f64,
                    "{} {} of {:?}\n{}",
                    metric,
                    status,
                    log,
                    metrics.table()
                );
            }
        }
        let failures = log.values().filter(|entry| {
            entry.workflow == workflow && matches!(entry.status, "FAILED" | "TIMED_OUT")
        });
        let errors = metrics.value(&format!("{name}.errors.total"), &[]);
        prop_assert_eq!(errors, failures.count() as f64, "{} {}", label, metrics.table());
    }
    prop_assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    prop_assert!(capture.conformance().is_ok(), "{:?}", capture.conformance());
    let spans = capture.spans();
    if !sampled {
        prop_assert!(spans.is_empty());
        return Ok(());
    }
    prop_assert_eq!(spans.len(), log.len());
    let number = |span: &hub_otel::testing::Span| span.text("number").parse::<usize>().unwrap();
    for span in &spans {
        let entry = &log[&number(span)];
        let key = if entry.workflow { "workflow.status" } else { "agent.status" };
        prop_assert_eq!(span.text(key), entry.status);
        let parent = spans.iter().find(|other| other.span_id == span.parent_id).map(number);
        prop_assert_eq!(parent, entry.parent);
        if !entry.workflow {
            // The run of the nearest workflow above, or none.
            let mut above = entry.parent;
            while let Some(number) = above.filter(|number| !log[number].workflow) {
                above = log[&number].parent;
            }
            let run = above.and_then(|above| spans.iter().find(|span| number(span) == above));
            let run = run.map_or_else(String::new, |run| run.text("workflow.run.id"));
            prop_assert_eq!(span.text("workflow.run.id"), run);
        }
    }
    Ok(())
}

fn settings(sampling: u8) -> (Settings, bool) {
    match sampling {
        0 => (Settings::new().unsampled(), false),
        1 => (Settings::new().ratio(0.0).parent_based(), false),
        _ => (Settings::new().allow_root_agents(), true),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_unit_of_a_random_tree_ends_once_where_it_belongs(
        roots in proptest::collection::vec(node(), 1..3),
        sampling in 0_u8..4,
    ) {
        let (settings, sampled) = settings(sampling);
        let capture = settings.capture();
        let log = Log::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let all = roots.into_iter().map(|root| run(root, None, log.clone()));
            // Whatever hangs is given up in the end.
            let mut all = Box::pin(futures_util::future::join_all(all).map(|_| ()));
            Polls(&mut all, 60).await;
            drop(all);
            for _ in 0..100 {
                yield_now().await;
            }
        });
        drop(runtime);
        let log = log.lock().unwrap().clone();
        check(&capture, &log, sampled)?;
    }
}

#[test]
fn threads_with_shared_label_sets_lose_no_count() {
    let capture = Settings::new().capture();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let work = capture.run(async move {
                for number in 0..500 {
                    let id = format!("w-{}", (number + thread) % 50);
                    let fails = number % 5 == 0;
                    let body = async { if fails { Err("no") } else { Ok(()) } };
                    let _ = workflow(id).run(body).await;
                }
            });
            std::thread::spawn(move || {
                tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let metrics = capture.metrics();
    assert_eq!(metrics.value("workflow.runs.total", &[("status", "SUCCESS")]), 1_600.0);
    assert_eq!(metrics.value("workflow.errors.total", &[]), 400.0);
    assert_eq!(metrics.value("workflow.duration", &[]), 2_000.0);
    assert_eq!(metrics.value("workflows.active", &[]), 0.0);
    assert_eq!(capture.spans().len(), 2_000);
    capture.conformance().unwrap();
}
