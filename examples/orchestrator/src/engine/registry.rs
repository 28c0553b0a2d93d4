//! The segments of this process: signals to the task of a run, and waiting for all segments.
//!
//! Nothing here decides about a run. A signal that is lost delays a task until its next write or
//! the next renewal of the lease.

use super::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Reason to stop a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Another caller has ended the run or taken it over.
    Superseded,
    /// The process shuts down, and the run is handed back to the store.
    HandBack,
}

/// Signals to the task of a run.
#[derive(Debug)]
pub(super) struct RunSignals {
    superseded: CancellationToken,
    shutdown: CancellationToken,
    changed: Notify,
}

impl RunSignals {
    /// Waits for a reason to stop.
    pub(super) async fn stopped(&self) -> Stop {
        tokio::select! {
            biased;
            () = self.superseded.cancelled() => Stop::Superseded,
            () = self.shutdown.cancelled() => Stop::HandBack,
        }
    }

    /// Waits for a change of the run's approvals in the store.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Stops the segment: the run is not its own any more.
    pub(super) fn stop(&self) {
        self.superseded.cancel();
    }

    /// Notifies the segment that the run's approvals may have changed.
    pub(super) fn notify_change(&self) {
        self.changed.notify_one();
    }
}

/// The runs in flight. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct RunRegistry {
    segments: TaskTracker,
    shutdown: CancellationToken,
    runs: Arc<Mutex<HashMap<String, Arc<RunSignals>>>>,
}

impl RunRegistry {
    /// Registers a run until the guard is dropped.
    pub(super) fn register(&self, id: &str) -> RunGuard {
        let signals = Arc::new(RunSignals {
            superseded: CancellationToken::new(),
            shutdown: self.shutdown.clone(),
            changed: Notify::new(),
        });
        lock(&self.runs).insert(id.to_owned(), Arc::clone(&signals));
        let token = self.segments.token();
        RunGuard { registry: self.clone(), id: id.to_owned(), signals, _token: token }
    }

    /// Number of segments.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// Signals of all tasks by run.
    pub(super) fn segments(&self) -> Vec<(String, Arc<RunSignals>)> {
        lock(&self.runs).iter().map(|(id, signals)| (id.clone(), Arc::clone(signals))).collect()
    }

    /// Stops the task of a run that has ended.
    pub(super) fn cancel(&self, id: &str) {
        if let Some(signals) = lock(&self.runs).get(id) {
            signals.stop();
        }
    }

    /// Stops all tasks, which hand back their runs.
    pub(super) fn hand_back_all(&self) {
        self.shutdown.cancel();
    }

    /// Notifies the task of a run that the run's approvals have changed.
    pub(super) fn notify(&self, id: &str) {
        if let Some(signals) = lock(&self.runs).get(id) {
            signals.notify_change();
        }
    }

    /// Waits until no run is in flight.
    pub(super) async fn wait_idle(&self) {
        self.segments.close();
        self.segments.wait().await;
    }
}

/// Registration of a run.
#[derive(Debug)]
pub(super) struct RunGuard {
    registry: RunRegistry,
    id: String,
    signals: Arc<RunSignals>,
    _token: TaskTrackerToken,
}

impl RunGuard {
    pub(super) fn signals(&self) -> &Arc<RunSignals> {
        &self.signals
    }
}

impl Drop for RunGuard {
    fn drop(&mut self) {
        let mut runs = lock(&self.registry.runs);
        // The next segment of an approved run can be registered before this guard is dropped.
        if runs.get(&self.id).is_some_and(|signals| Arc::ptr_eq(signals, &self.signals)) {
            runs.remove(&self.id);
        }
    }
}
