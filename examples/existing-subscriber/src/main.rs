//! Telemetry for a program that has a `tracing` subscriber of its own: one more layer, and the
//! program's format stays.
//!
//! - `build` makes the telemetry without installing anything global, `tracing_layer` creates its
//!   `tracing` layer.
//! - `install` makes the instance the global one. The subscriber stays as it is.
//! - A log line is printed in the program's format, with the ids of the current span (`with_ids`),
//!   and exported as a log record with the same ids.
//! - The library's own diagnostics are lines of the program's subscriber as well.
//!
//! Run: `cargo run -p existing-subscriber`, with or without a Collector at http://localhost:4317.

use hub_otel::otel::{tracing_layer, with_ids};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `build` before `install`: the subscriber is set in between, with the layer of this instance.
    let telemetry =
        hub_otel::Telemetry::builder().default_service_name("existing-subscriber").build()?;
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .without_time()
        .map_event_format(with_ids)
        .with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).with(tracing_layer(&telemetry)).try_init()?;
    // Global from here on. The subscriber above is kept.
    telemetry.install()?;

    compute_answer().await;

    let report = telemetry.shutdown().await;
    eprintln!("{report}");
    Ok(())
}

#[hub_otel::instrument_agent(id = "oracle", action = "compute")]
async fn compute_answer() {
    tracing::info!(answer = 42, "logged once, delivered twice");
}
