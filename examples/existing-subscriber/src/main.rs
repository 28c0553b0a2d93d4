//! A program that has its own `tracing` subscriber keeps it: telemetry is one more layer.
//!
//! `cargo run -p existing-subscriber`: the line comes out in this program's own format, and goes to the Collector as a
//! log record, with the ids of the unit of work that it was said in.

use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `build`, not `install` yet: the subscriber is set first, with the layer of this instance in it.
    let telemetry =
        hub_otel::Telemetry::builder().default_service_name("existing-subscriber").build()?;
    let lines =
        tracing_subscriber::fmt::layer().compact().without_time().with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).with(telemetry.layer()).try_init()?;
    // Global from here on; the subscriber above stays.
    telemetry.install()?;

    answer().await;

    let report = telemetry.shutdown().await;
    eprintln!("{report}");
    Ok(())
}

#[hub_otel::instrument_agent(id = "oracle", action = "answer")]
async fn answer() {
    tracing::info!(answer = 42, "said once, heard twice");
}
