//! Workflows and agents without attribute macros, for ids that are known at run time only.
//!
//! - `workflow(…)` and `agent(…)` describe a unit, `run` executes a future as that unit.
//! - `run_with` classifies a value that is not a plain success or failure.
//! - `current()` adds facts that are known during the execution.
//! - `Telemetry::builder()` sets the defaults that environment variables override.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run -p builder-without-macros` prints the trace on
//! stderr.

use hub_otel::{Classification, Telemetry, UnitStatus};
use std::error::Error;
use std::io;
use std::time::Duration;

/// One step of a plan that was read from a file, a database or a request.
struct Step {
    agent: &'static str,
    action: &'static str,
}

async fn execute(step: &Step, attempt: u32) -> Result<u32, io::Error> {
    if step.action == "notify" && attempt == 1 {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(attempt)
}

/// All attempts of a step are one `agent.execute` span.
async fn execute_with_retry(step: &Step) -> Result<u32, io::Error> {
    let attempts = async {
        let mut attempt = 1;
        loop {
            match execute(step, attempt).await {
                Err(error) if attempt < 3 => {
                    hub_otel::current().record_retry(error.kind().to_string());
                    attempt += 1;
                }
                result => return result,
            }
        }
    };
    hub_otel::agent(step.agent, step.action).run(attempts).await
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::builder()
        .default_service_name("builder-without-macros")
        .deployment_environment("demo")
        .prometheus("127.0.0.1", 0)
        .shutdown_timeout(Duration::from_secs(2))
        .install()?;
    let plan =
        [Step { agent: "scanner", action: "scan" }, Step { agent: "notifier", action: "notify" }];
    let run = async {
        let mut attempts = 0;
        for step in &plan {
            attempts += execute_with_retry(step).await?;
        }
        hub_otel::current().record("plan.attempts", i64::from(attempts));
        Ok::<u32, io::Error>(attempts)
    };
    let classify = |result: &Result<u32, io::Error>, unit: &mut Classification| match result {
        Ok(0) => unit.status(UnitStatus::Rejected),
        result => unit.by_error_type(result),
    };
    let workflow = hub_otel::workflow("scan-and-notify").trigger("schedule").field("plan.steps", 2);
    println!("{} attempts", workflow.run_with(run, classify).await?);
    telemetry.shutdown().await;
    Ok(())
}
