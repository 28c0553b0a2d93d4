//! logfire.

use compare::by_tracing::{job, user};
use compare::{cases, print, seen};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SimpleSpanProcessor};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let exporter = InMemorySpanExporter::default();
    let logfire = logfire::configure()
        .send_to_logfire(false)
        .with_console(None)
        .with_additional_span_processor(SimpleSpanProcessor::new(exporter.clone()))
        .finish()?;
    let (cases, _server) = cases().await?;
    for (case, work) in cases {
        exporter.reset();
        if case.framework == "apalis" {
            job(case.kind).await;
        } else {
            let work = user(work);
            let _dropped = tokio::time::timeout(Duration::from_millis(400), work).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut spans: Vec<_> =
            exporter.get_finished_spans()?.into_iter().map(|span| seen!(span)).collect();
        print(&case, &mut spans);
    }
    logfire.shutdown()?;
    Ok(())
}
