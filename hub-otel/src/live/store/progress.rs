//! The state of a run from its segments and approvals, in whatever order they arrive: those of this
//! process at their start and their end, those of other processes at their end only.

use super::run::Run;
use crate::live::row::State;
use std::sync::Arc;

/// Facts from which the state of a run follows.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Segments in progress in this process.
    open: u32,
    /// Approvals that wait in this process.
    waits: u32,
    /// End of the latest suspended segment.
    suspended_at: u64,
    /// End of the latest approval.
    decided_at: u64,
}

/// The end of a segment, or of the agent that is a run of its own.
#[derive(Debug)]
pub(super) struct End {
    pub(super) at: u64,
    pub(super) state: State,
    pub(super) error: Option<Arc<str>>,
    /// Reason of a suspension.
    pub(super) reason: Option<Box<str>>,
}

impl Run {
    /// Returns whether a segment is in progress in this process.
    pub(super) fn is_open(&self) -> bool {
        self.progress.open > 0
    }

    /// Records a segment that began in this process.
    pub(super) fn segment_started(&mut self) {
        self.progress.open += 1;
        self.update_state();
    }

    /// Records the end of a segment. Of several terminal segments the latest one counts.
    pub(super) fn segment_ended(&mut self, end: End, is_own: bool) {
        if is_own {
            self.progress.open = self.progress.open.saturating_sub(1);
        }
        if end.state.is_terminal() {
            if self.ended.is_none_or(|ended| end.at >= ended) {
                (self.state, self.ended) = (end.state, Some(end.at));
                (self.error, self.reason) = (end.error, end.reason);
            }
            return;
        }
        if end.at >= self.progress.suspended_at && !self.state.is_terminal() {
            self.progress.suspended_at = end.at;
            self.reason = end.reason;
        }
        self.update_state();
    }

    /// Records an approval that began to wait in this process.
    pub(super) fn approval_started(&mut self) {
        self.progress.waits += 1;
        self.update_state();
    }

    /// Records a decision.
    pub(super) fn approval_ended(&mut self, at: u64, is_own: bool) {
        let progress = &mut self.progress;
        if is_own {
            progress.waits = progress.waits.saturating_sub(1);
        }
        progress.decided_at = progress.decided_at.max(at);
        self.update_state();
    }

    fn update_state(&mut self) {
        if self.state.is_terminal() {
            return;
        }
        let progress = &self.progress;
        let is_approval = self.reason.as_ref().is_some_and(|reason| reason.contains("approval"));
        self.state = if progress.waits > 0 {
            State::Waiting
        } else if progress.open > 0 || progress.suspended_at == 0 {
            State::Running
        } else if !is_approval {
            State::Suspended
        } else if progress.decided_at >= progress.suspended_at {
            State::Running
        } else {
            State::Waiting
        };
    }
}
