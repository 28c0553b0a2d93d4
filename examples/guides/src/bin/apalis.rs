//! apalis 1.0 under hub-otel: a job that belongs to the run that queued it.
//!
//! - The sender writes the trace and the identity of its run into the metadata of the task, the
//!   worker reads them: the agent in the worker has the run's id and is in the same trace.
//! - apalis reports nothing of its own unless its `TraceLayer` is added; that span is a child of
//!   whatever is current in the worker, so this program does without.
//! - `err` of the agent and a retry of apalis are two runs of the agent: the metrics count both.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run --bin apalis` prints the trace on stderr.

use apalis::prelude::*;
use hub_otel::{instrument_agent, instrument_workflow, propagation};
use std::error::Error;
use std::fmt;

#[derive(Debug, Clone)]
struct Rename {
    from: String,
    to: String,
}

#[derive(Debug)]
struct SameName;

impl fmt::Display for SameName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("both names are the same")
    }
}

impl Error for SameName {}

#[instrument_agent(id = "renamer", action = "rename", fields(to = %task.to))]
async fn rename(task: &Rename) -> Result<(), SameName> {
    if task.from == task.to { Err(SameName) } else { Ok(()) }
}

/// The handler of the worker: enters the run of the sender.
async fn handle(
    task: Rename,
    metadata: MetadataStore,
    worker: WorkerContext,
) -> Result<(), BoxDynError> {
    let run = propagation::extract_run(metadata.as_ref());
    let done = run.scope(rename(&task)).await;
    if task.to == "last" {
        worker.stop()?;
    }
    Ok(done?)
}

#[instrument_workflow(id = "tidy-up")]
async fn tidy_up(queue: &mut MemoryStorage<Rename>) -> Result<(), BoxDynError> {
    for (from, to) in [("a", "b"), ("c", "c"), ("d", "last")] {
        let mut metadata = MetadataStore::new();
        propagation::inject_run(metadata.as_mut());
        let task = Rename { from: from.to_owned(), to: to.to_owned() };
        queue.push_task(TaskBuilder::new(task).with_metadata(metadata).build()).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let telemetry = hub_otel::init!()?;
    let mut queue = MemoryStorage::new();
    tidy_up(&mut queue).await?;
    WorkerBuilder::new("worker").backend(queue).build(handle).run().await?;
    telemetry.shutdown().await;
    Ok(())
}
