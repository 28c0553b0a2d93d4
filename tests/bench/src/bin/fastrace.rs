//! Scenarios `fastrace.*`: instrumentation by fastrace, with the metrics by hand.
//!
//! Its attributes are strings, so the telemetry is similar to that of the others, not equal.
//!
//! A program of its own: a dependency of fastrace calibrates a clock before `main`, which takes a
//! random number of instructions.

use fastrace::collector::Config;
use fastrace::prelude::*;
use fastrace_opentelemetry::OpenTelemetryReporter;
use hub_otel_bench::count::Counting;
use hub_otel_bench::manual_metrics::{ERROR_TYPE, Instruments, Metrics};
use hub_otel_bench::manual_pipeline::{ManualPipeline, build_exporter, resource};
use hub_otel_bench::scenario::{Scenario, number};
use hub_otel_bench::{WorkError, commands, ready, work};
use opentelemetry::InstrumentationScope;
use std::borrow::Cow;
use std::process::ExitCode;
use std::time::Instant;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    commands::run_command(prepare)
}

fn prepare(name: &str) -> Scenario {
    let unit = name.strip_prefix("fastrace.").expect("a scenario of fastrace");
    let fails = unit.ends_with("error");
    let pipeline = ManualPipeline::start();
    start_collector(&pipeline.runtime);
    let metrics = Instruments::new(&pipeline.metrics);
    let is_workflow = unit.starts_with("workflow");
    metrics.declare(is_workflow);
    let metrics_address = Some(pipeline.metrics_address);
    let unit: Box<dyn FnMut(usize)> = if is_workflow {
        Box::new(move |n| drop(ready(workflow(&metrics, number(n), fails))))
    } else {
        Box::new(move |n| drop(ready(agent(&metrics, number(n), fails))))
    };
    let stop = Box::new(move || {
        fastrace::flush();
        pipeline.shutdown();
    });
    Scenario { unit, pending: None, metrics_address, stop }
}

/// Starts the collector of fastrace with the official OTLP exporter.
fn start_collector(runtime: &Runtime) {
    let exporter = {
        let _entered = runtime.enter();
        build_exporter()
    };
    let handle = runtime.handle().clone();
    let scope = InstrumentationScope::builder("hub_otel").build();
    let reporter = OpenTelemetryReporter::new(exporter, Cow::Owned(resource()), scope)
        .with_block_on(move |export| handle.block_on(export));
    fastrace::set_reporter(reporter, Config::default());
}

async fn workflow(metrics: &impl Metrics, attempt: i64, fails: bool) -> Result<u32, WorkError> {
    let started = Instant::now();
    let root = Span::root("workflow.execute", SpanContext::random()).with_properties(|| {
        [
            ("workflow.run.id", Cow::Borrowed("run-7")),
            ("workflow.id", "bench".into()),
            ("workflow.name", "Bench".into()),
            ("workflow.trigger", "manual".into()),
            ("attempt", attempt.to_string().into()),
        ]
    });
    metrics.workflow_started();
    let result =
        ended(work(fails), "workflow.status", "workflow.duration.ms", started).in_span(root).await;
    let status = if result.is_ok() { "SUCCESS" } else { "FAILED" };
    metrics.workflow_ended(status, started.elapsed().as_secs_f64() * 1_000.0, result.is_err());
    result
}

async fn agent(metrics: &impl Metrics, attempt: i64, fails: bool) -> Result<u32, WorkError> {
    let started = Instant::now();
    let root = Span::root("agent.execute", SpanContext::random()).with_properties(|| {
        [
            ("agent.id", Cow::Borrowed("bench")),
            ("agent.name", "Bench".into()),
            ("agent.action", "work".into()),
            ("agent.run.id", "run-7".into()),
            ("attempt", attempt.to_string().into()),
        ]
    });
    let result =
        ended(work(fails), "agent.status", "agent.duration.ms", started).in_span(root).await;
    let status = if result.is_ok() { "SUCCESS" } else { "FAILED" };
    metrics.agent_ended(status, started.elapsed().as_secs_f64() * 1_000.0, result.is_err());
    result
}

/// Adds the properties of the end to the root span.
async fn ended(
    work: impl Future<Output = Result<u32, WorkError>>,
    status_key: &'static str,
    duration_key: &'static str,
    started: Instant,
) -> Result<u32, WorkError> {
    let result = work.await;
    let elapsed = started.elapsed().as_millis().to_string();
    match &result {
        Ok(_) => LocalSpan::add_properties(|| {
            [
                (status_key, Cow::Borrowed("SUCCESS")),
                (duration_key, elapsed.into()),
                ("span.status_code", "ok".into()),
            ]
        }),
        Err(error) => {
            let message = error.to_string();
            LocalSpan::add_event(Event::new("exception").with_properties(|| {
                [
                    ("exception.type", Cow::Borrowed(std::any::type_name::<WorkError>())),
                    ("exception.message", message.clone().into()),
                ]
            }));
            LocalSpan::add_properties(|| {
                [
                    (status_key, Cow::Borrowed("FAILED")),
                    (duration_key, elapsed.into()),
                    ("error.type", ERROR_TYPE.into()),
                    ("span.status_code", "error".into()),
                    ("span.status_description", message.into()),
                ]
            });
        }
    }
    result
}
