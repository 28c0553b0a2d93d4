//! An agent in a process of its own, in the same trace and the same run as its workflow.
//!
//! - `propagation::to_env` adds trace and run to the environment of a child process (`TRACEPARENT`,
//!   `BAGGAGE`).
//! - `propagation::from_env` reads them in the child, and `RemoteContext::scope` runs a future
//!   under the context that it returns.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run -p worker-process` prints both parts of the trace
//! on stderr. The program starts itself again as `worker`.

use hub_otel::{instrument_agent, instrument_workflow, propagation};
use std::error::Error;
use std::process::{Command, ExitStatus};

/// Runs in the child.
#[instrument_agent(id = "counter", action = "count", fields(text.length = text.len()))]
async fn count(text: &str) -> Result<usize, std::io::Error> {
    Ok(text.split_whitespace().count())
}

/// Runs in the parent: starts the agent's process and waits for it.
#[instrument_workflow(id = "count-elsewhere")]
async fn count_elsewhere(text: &str) -> Result<ExitStatus, std::io::Error> {
    let mut worker = Command::new(std::env::current_exe()?);
    worker.args(["worker", text]);
    propagation::to_env(&mut worker);
    let mut worker = worker.spawn()?;
    tokio::task::spawn_blocking(move || worker.wait()).await?
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("worker-process")
        // Two processes cannot listen on the same port.
        .prometheus("127.0.0.1", 0)
        .install()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["worker", text] => {
            let words = propagation::from_env().scope(count(text)).await?;
            println!("{words} words");
            Ok(())
        }
        [] => match count_elsewhere("an agent in a process of its own").await? {
            status if status.success() => Ok(()),
            status => Err(format!("the worker ended with {status}").into()),
        },
        _ => Err("usage: worker-process [worker TEXT]".into()),
    };
    telemetry.shutdown().await;
    result
}
