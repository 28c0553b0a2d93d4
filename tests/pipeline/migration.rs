//! A service of `#[tracing::instrument]` functions, and the same service with units: same spans,
//! one trace, the run's id on every agent. Each stage runs in a child process, because a subscriber
//! is global.

mod after;
mod before;

use crate::kit;
use hub_otel::testing::{Span, Spans};
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::Receiver;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use std::fmt;
use std::time::Duration;
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

/// A customer whose address is empty.
#[derive(Debug)]
struct Unreachable;

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the customer has no address")
    }
}

impl std::error::Error for Unreachable {}

/// The helper of the service. It is the same before and after.
fn spawn<F>(work: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(work.in_current_span())
}

const CUSTOMERS: [&str; 2] = ["acme", ""];

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    runtime.expect("a runtime").block_on(future)
}

/// Name of a span, or the id of its unit, which is the name of the function.
fn line(span: &Span) -> String {
    let name = ["agent.id", "workflow.id"].iter().find_map(|key| span.attributes.get(*key));
    let name = name.map_or_else(|| span.name.clone(), ToString::to_string);
    if span.status.starts_with("Error") { format!("{name} failed") } else { name }
}

/// Runs a stage. Returns its spans and the standard output.
fn run(stage: &str) -> (Spans, String) {
    let receiver = Receiver::start();
    let mut command = kit::case(&format!("migration::{stage}"));
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_METRICS_EXPORTER", "none")
        .env("OTEL_LOGS_EXPORTER", "none");
    let mut process = Process::spawn(&mut command);
    let status = process.exit(Duration::from_secs(60));
    assert!(status.success(), "{status}\n{}\n{}", process.stdout(), process.stderr());
    (receiver.kit_spans(), process.stdout())
}

const TREE: &str = "
nightly
  archive
  invoice
    deliver
    price
      discount
    render
    usage
      parse
      query
      query
  invoice failed
    deliver failed
    price
      discount
    render
    usage
      parse
      query
      query
  load
";

#[test]
#[ignore = "runs in a child process"]
fn before_with_tracing_opentelemetry() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("service"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
        .expect("the first one");
    assert_eq!(block_on(before::nightly(&CUSTOMERS)), 1);
    let spans = exporter.get_finished_spans().expect("no exporter failed");
    for span in &spans {
        let failed = matches!(span.status, opentelemetry::trace::Status::Error { .. });
        println!(
            "span {} {} {}{}",
            span.span_context.span_id(),
            span.parent_span_id,
            span.name,
            if failed { " failed" } else { "" },
        );
    }
}

#[test]
#[ignore = "runs in a child process"]
fn before_with_hub_otel() {
    let telemetry = hub_otel::init("service").expect("the install");
    assert_eq!(block_on(before::nightly(&CUSTOMERS)), 1);
    assert!(telemetry.shutdown_blocking().is_complete());
}

#[test]
#[ignore = "runs in a child process"]
fn after_with_hub_otel() {
    let telemetry = hub_otel::init("service").expect("the install");
    assert_eq!(block_on(after::nightly(&CUSTOMERS)), 1);
    assert!(telemetry.shutdown_blocking().is_complete());
}

/// Renders the lines `span ID PARENT NAME` as a tree, siblings sorted.
fn tree(spans: &[(String, String, String)], parent: &str, depth: usize) -> String {
    let children = spans.iter().filter(|(_, of, _)| of == parent);
    let mut subtrees: Vec<String> = children
        .map(|(id, _, name)| {
            format!("{}{name}\n{}", "  ".repeat(depth), tree(spans, id, depth + 1))
        })
        .collect();
    subtrees.sort();
    subtrees.concat()
}

fn tree_of(spans: &Spans) -> String {
    let rows: Vec<_> = spans
        .iter()
        .map(|span| (span.span_id.clone(), span.parent_id.clone(), line(span)))
        .collect();
    tree(&rows, "", 0)
}

#[test]
fn a_service_has_the_same_spans_before_and_after_the_migration() {
    let (_, printed) = run("before_with_tracing_opentelemetry");
    let rows: Vec<_> = printed
        .lines()
        .filter_map(|line| line.split_once("span ")?.1.split_once(' '))
        .filter_map(|(id, rest)| rest.split_once(' ').map(|(parent, name)| (id, parent, name)))
        .map(|(id, parent, name)| (id.to_owned(), parent.to_owned(), name.to_owned()))
        .collect();
    assert_eq!(tree(&rows, "0000000000000000", 0), TREE.trim_start());
    for stage in ["before_with_hub_otel", "after_with_hub_otel"] {
        let (spans, _) = run(stage);
        assert_eq!(tree_of(&spans), TREE.trim_start(), "{stage}");
        let mut traces: Vec<_> = spans.iter().map(|span| &span.trace_id).collect();
        traces.dedup();
        assert_eq!(traces.len(), 1, "{stage}");
    }
}

#[test]
fn every_agent_of_the_migrated_service_has_the_id_of_the_run() {
    let (spans, _) = run("after_with_hub_otel");
    let run_id = spans.named("workflow.execute")[0].text("workflow.run.id").to_owned();
    assert!(!run_id.is_empty());
    let agents = spans.named("agent.execute");
    assert_eq!(agents.len(), 10, "five for each customer");
    for agent in agents {
        assert_eq!(agent.text("workflow.run.id"), run_id, "{agent:?}");
    }
}

/// The migration is a change of attributes: no statement differs.
#[test]
fn the_migrated_service_differs_in_its_attributes_only() {
    let code = |text: &str| -> Vec<String> {
        let is_code = |line: &&str| !line.starts_with("#[") && !line.starts_with("//!");
        text.lines().filter(is_code).map(str::to_owned).collect()
    };
    let (before, after) = (include_str!("migration/before.rs"), include_str!("migration/after.rs"));
    assert_eq!(code(before), code(after));
    assert_ne!(before, after);
}
