//! Tests of one's own agents with the test kit: the span tree and the metrics of a function,
//! without global state.
//!
//! - `testing::capture()` records what the test's thread starts; tests run side by side.
//! - `spans().names()` and `spans().tree()` render the span tree as text, `metrics()` has each
//!   series.
//! - `conformance()` checks every name, unit and label against the published conventions.
//!
//! Run: `cargo test -p testing-agents`. `OTEL_TRACES_EXPORTER=console cargo run -p testing-agents`
//! runs the agents.

use hub_otel::{instrument_agent, instrument_workflow};

#[derive(Debug, thiserror::Error, hub_otel::ErrorType)]
enum ScanError {
    #[error("the folder is empty")]
    Empty,
}

#[instrument_workflow(id = "nightly")]
async fn scan_nightly(files: &[&str]) -> Result<usize, ScanError> {
    scan(files).await
}

#[instrument_agent(id = "scanner", action = "scan", fields(files = files.len()))]
async fn scan(files: &[&str]) -> Result<usize, ScanError> {
    if files.is_empty() { Err(ScanError::Empty) } else { Ok(files.len()) }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program's output")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("testing-agents")
        .prometheus("127.0.0.1", 0)
        .install()?;
    println!("{} files", scan_nightly(&["a.rs", "b.rs"]).await?);
    telemetry.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub_otel::testing::capture;

    #[tokio::test]
    async fn the_scanner_runs_below_its_workflow() {
        let capture = capture();
        scan_nightly(&["a.rs"]).await.unwrap();
        assert_eq!(capture.spans().names(), "workflow.execute\n  agent.execute\n");
        let spans = capture.spans();
        let agents = spans.named("agent.execute");
        assert_eq!(
            (agents[0].text("agent.id"), agents[0].text("files")),
            ("scanner".into(), "1".into())
        );
        capture.conformance().unwrap();
    }

    #[tokio::test]
    async fn an_empty_folder_is_counted_as_a_failure_of_its_type() {
        let capture = capture();
        scan_nightly(&[]).await.unwrap_err();
        let labels = [("workflow_id", "nightly"), ("status", "FAILED")];
        assert_eq!(capture.metrics().value("workflow.runs.total", &labels), 1.0);
        let failed = [("agent_id", "scanner"), ("error_type", "empty")];
        assert_eq!(capture.metrics().value("agent.errors.total", &failed), 1.0);
    }
}
