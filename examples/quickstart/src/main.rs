//! The smallest thing that shows a trace: `OTEL_TRACES_EXPORTER=console cargo run -p quickstart`.

use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), hub_otel::InitError> {
    let telemetry = hub_otel::init!()?;
    tokio::time::sleep(Duration::from_millis(10)).await;
    telemetry.shutdown().await;
    Ok(())
}
