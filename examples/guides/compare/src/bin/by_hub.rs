//! hub-otel.

use apalis::prelude::*;
use compare::{Kind, MODEL, Work, by_async_openai, cases, print, rename, seen};
use hub_otel::otel::TelemetryBuilderExt;
use hub_otel::{
    Usage, current, instrument_agent, instrument_llm, instrument_tool, instrument_workflow, llm,
    propagation,
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SimpleSpanProcessor};
use std::error::Error;
use std::time::Duration;

/// The function of the user.
#[instrument_agent(id = "user", action = "call")]
async fn user<F: Future>(work: F) -> F::Output {
    work.await
}

/// async-openai reports nothing: one attribute on the function that calls it.
#[instrument_llm(provider = "openai", model = MODEL)]
async fn complete(url: String, kind: Kind) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (input, output) = by_async_openai(url, kind).await?;
    current().usage(Usage::new(input, output));
    Ok(())
}

/// rmcp reports nothing of a call: one attribute on the function that makes it.
#[instrument_tool(name = "call")]
async fn execute(work: Work) -> Result<(), Box<dyn Error + Send + Sync>> {
    work.await
}

#[instrument_workflow(id = "send")]
async fn send(queue: &mut MemoryStorage<u8>) {
    let mut metadata = MetadataStore::new();
    propagation::inject_run(metadata.as_mut());
    let task = TaskBuilder::new(1).with_metadata(metadata).build();
    queue.push_task(task).await.expect("a queue in memory");
}

async fn job(kind: Kind) {
    let mut queue = MemoryStorage::new();
    send(&mut queue).await;
    let worker = WorkerBuilder::new("worker").backend(queue).build(
        move |_: u8, run: MetadataStore, worker: WorkerContext| async move {
            propagation::extract_run(run.as_ref()).scope(user(rename(kind))).await;
            worker.stop()
        },
    );
    let _dropped = tokio::time::timeout(Duration::from_millis(200), worker.run()).await;
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let exporter = InMemorySpanExporter::default();
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("compare")
        .env_source([
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ])
        .span_processor(SimpleSpanProcessor::new(exporter.clone()))
        .install()?;
    // The first call waits for the price table, in a debug build for a second.
    llm("openai", MODEL).call(|| {
        current().usage(Usage::new(1, 1));
    });
    let (cases, server) = cases().await?;
    for (case, work) in cases {
        exporter.reset();
        if case.framework == "apalis" {
            job(case.kind).await;
        } else {
            let work: Work = match case.framework {
                "async-openai" => Box::pin(complete(server.url(), case.kind)),
                "rmcp" => Box::pin(execute(work)),
                _ => work,
            };
            let work = user(work);
            let _dropped = tokio::time::timeout(Duration::from_millis(400), work).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut spans: Vec<_> =
            exporter.get_finished_spans()?.into_iter().map(|span| seen!(span)).collect();
        print(&case, &mut spans);
    }
    telemetry.shutdown().await;
    Ok(())
}
