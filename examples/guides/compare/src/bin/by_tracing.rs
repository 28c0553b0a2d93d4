//! tracing-opentelemetry alone.

use compare::by_tracing::{job, user};
use compare::{cases, print, seen};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use std::error::Error;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    use hub_otel::otel::opentelemetry::trace::TracerProvider;
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("compare"));
    let filter = tracing_subscriber::filter::LevelFilter::INFO;
    tracing::subscriber::set_global_default(
        tracing_subscriber::registry().with(filter).with(spans),
    )?;
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
    Ok(())
}
