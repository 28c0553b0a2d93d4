//! The body of an execution, which DBOS calls: claims the run, and executes one segment of it.

use super::attended::Attended;
use super::{Connected, execution_id};
use crate::domain::{Run, RunStatus};
use crate::engine::telemetry::Outcome;
use crate::engine::{Engine, Inner, segment};
use hub_otel::propagation;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

/// Input of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Delivery {
    /// Id of the run.
    pub(super) run: String,
    /// Number of waits of the run before this execution.
    pub(super) waits: u32,
    /// Version of the run when it was enqueued.
    pub(super) version: i64,
    /// Trace context of the request: the body is executed in another task, or another process.
    pub(super) headers: HashMap<String, String>,
}

impl Delivery {
    /// The next execution of a run, without a request.
    pub(super) fn of(run: &Run) -> Self {
        let headers = HashMap::new();
        Self { run: run.id.clone(), waits: run.waits, version: run.version, headers }
    }
}

/// Executes the next segment of a run.
///
/// Returns `Ok` only if this execution is never needed again. DBOS stores it as the result of the
/// execution without a check of the owner: of a process that was taken over, it would end the
/// execution of the new owner, which no process would recover.
pub(super) async fn execute(
    engine: Weak<Inner>,
    connected: Arc<OnceLock<Arc<Connected>>>,
    attended: Attended,
    delivery: Delivery,
) -> ::dbos::Result<()> {
    let id = execution_id(&delivery.run, delivery.waits);
    let interrupted = || ::dbos::Error::Interrupted { workflow_id: id.clone() };
    let Some(engine) = engine.upgrade().map(|inner| Engine { inner }) else {
        return Err(interrupted());
    };
    // The sweep leaves this execution alone, also while it waits for the store.
    let _attended = attended.enter(&id);
    if !engine.is_draining() {
        match execute_segment(&engine, &delivery).await {
            Some(Outcome::Stopped) | None => {}
            // The run has ended or waits.
            Some(_) => return Ok(()),
        }
        if has_left(&engine, &delivery).await {
            return Ok(());
        }
    }
    if engine.is_draining() {
        if let Some(connected) = connected.get() {
            connected.hand_over(&id).await;
        }
        // Holds its slot, so that DBOS does not assign it to this process again.
        drop(engine);
        std::future::pending::<()>().await;
    }
    Err(interrupted())
}

/// Claims the run and executes a segment. Returns `None` if the run cannot be claimed.
async fn execute_segment(engine: &Engine, delivery: &Delivery) -> Option<Outcome> {
    let owner = &engine.inner.owner;
    let run = match engine.inner.store.claim(&delivery.run, delivery.waits, owner).await {
        Ok(run) => run?,
        Err(error) => {
            // The next sweep puts the execution back into the queue.
            tracing::warn!(%error, run = delivery.run, "cannot claim a run");
            return None;
        }
    };
    // After the claim: a registered segment whose run is not owned is stopped as superseded.
    let guard = engine.inner.in_flight.register(&delivery.run);
    let signals = Arc::clone(guard.signals());
    // An execution after a recovery is no part of the request: it links to the previous segment.
    let is_first = run.version == delivery.version + 1;
    let headers = if is_first { &delivery.headers } else { &HashMap::new() };
    let segment = segment::execute(engine.clone(), run, signals);
    let result = propagation::extract(headers).scope(segment).await;
    drop(guard);
    // A failure ended the run as well.
    Some(result.unwrap_or(Outcome::Success))
}

/// Returns whether the run has ended, or waits for an approval or has waited since.
async fn has_left(engine: &Engine, delivery: &Delivery) -> bool {
    match engine.inner.store.run(&delivery.run).await {
        Ok(Some(run)) => {
            run.status.is_terminal()
                || run.status == RunStatus::WaitingApproval
                || run.waits > delivery.waits
        }
        // Deleted after the retention time.
        Ok(None) => true,
        Err(_) => false,
    }
}
