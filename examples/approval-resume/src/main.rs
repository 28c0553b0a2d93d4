//! Approvals: a wait in process, and a run that is suspended, stored, approved and resumed.
//!
//! - `approval::wait` keeps the workflow's span open. The wait does not count as executed time.
//! - `Current::segment` and `Current::suspend` end a segment of a run. A database would hold
//!   the string that `plan_patch` returns until the decision, by this process or another one.
//! - `approval::record` records the decision, `resume = …` starts the next segment: a new trace
//!   with the same run id and a link to the segment before.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run -p approval-resume` prints the traces on stderr.

use hub_otel::approval::{self, Decision};
use hub_otel::{Segment, instrument_agent, instrument_workflow};
use std::error::Error;
use std::time::SystemTime;

#[instrument_agent(id = "patcher", action = "apply")]
async fn apply_patch() {}

/// Simulates the person who decides.
async fn decide() -> Decision {
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    Decision::Approved
}

/// Waits in process.
#[instrument_workflow(id = "patch-attended")]
async fn patch_attended() {
    if approval::wait("approval-1", decide()).await == Decision::Approved {
        apply_patch().await;
    }
}

/// Plans the patch, then suspends the run. Returns the segment as it is stored.
#[instrument_workflow(id = "patch-unattended", run_id = "run-7")]
async fn plan_patch() -> Result<String, serde_json::Error> {
    let current = hub_otel::current();
    let stored = serde_json::to_string(&current.segment())?;
    current.suspend("approval");
    Ok(stored)
}

/// Resumes the run. Workflow id, run id and trigger are those of the segment.
#[instrument_workflow(id = "patch-unattended", resume = segment)]
async fn continue_patch(segment: Option<Segment>) {
    apply_patch().await;
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the program's output")]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = hub_otel::Telemetry::builder()
        .default_service_name("approval-resume")
        .prometheus("127.0.0.1", 0)
        .install()?;
    patch_attended().await;

    let requested_at = SystemTime::now();
    let stored = plan_patch().await?;
    println!("suspended: {stored}");
    let decision = decide().await;
    let segment: Option<Segment> = serde_json::from_str(&stored)?;
    if let Some(segment) = &segment {
        approval::record("approval-2", segment, requested_at, decision);
    }
    if decision == Decision::Approved {
        continue_patch(segment).await;
        println!("resumed");
    }
    telemetry.shutdown().await;
    Ok(())
}
