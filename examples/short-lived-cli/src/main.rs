//! A command that runs for a moment: telemetry is exported before it exits, and never delays it for
//! long.
//!
//! - No `/metrics` listener: nothing could scrape it in time. Metrics are pushed by OTLP instead.
//! - `shutdown_timeout` bounds the wait for a Collector that does not respond.
//! - `shutdown` is awaited before the exit code is returned: `std::process::exit` would lose what
//!   is queued.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run -p short-lived-cli -- some words to count` prints
//! the trace on stderr. Without the variable the trace goes to a Collector at
//! http://localhost:4317.

use hub_otel::{Exporter, Signal, Telemetry, instrument_agent, instrument_workflow};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, thiserror::Error, hub_otel::ErrorType)]
enum CountError {
    #[error("there is nothing to count")]
    Empty,
}

#[instrument_workflow(id = "count")]
async fn count_all(words: &[String]) -> Result<usize, CountError> {
    let mut letters = 0;
    for word in words {
        letters += count_letters(word).await;
    }
    if letters == 0 { Err(CountError::Empty) } else { Ok(letters) }
}

#[instrument_agent(id = "counter", action = "count", fields(word.length = word.len()))]
async fn count_letters(word: &str) -> usize {
    word.chars().count()
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program's output")]
async fn main() -> ExitCode {
    let telemetry = Telemetry::builder()
        .default_service_name("short-lived-cli")
        .exporters(Signal::Metrics, [Exporter::Otlp])
        .shutdown_timeout(Duration::from_secs(2))
        .install();
    let telemetry = match telemetry {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = count_all(&words).await;
    telemetry.shutdown().await;
    match result {
        Ok(letters) => {
            println!("{letters} letters in {} words", words.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
