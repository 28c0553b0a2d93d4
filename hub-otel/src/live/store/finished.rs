//! Finished traces in the order of their removal.

use super::trace::Trace;
use opentelemetry::trace::TraceId;
use std::collections::BTreeMap;

/// Finished traces by the change that finished each, oldest first.
#[derive(Debug, Default)]
pub(super) struct FinishedTraces {
    pub(super) lists: [BTreeMap<u64, TraceId>; 3],
}

/// The list of a finished trace, in the order of removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Without a unit.
    Others,
    /// Without a unit so far: another process sent a span whose parent may follow.
    Expecting,
    /// With a unit.
    Units,
}

impl FinishedTraces {
    /// Records that all spans of a trace have ended.
    pub(super) fn insert(&mut self, id: TraceId, trace: &mut Trace, version: u64) {
        self.remove(trace);
        trace.finished = version;
        let list = if !trace.runs.is_empty() {
            List::Units
        } else if trace.expects_parent {
            List::Expecting
        } else {
            List::Others
        };
        self.lists[list as usize].insert(version, id);
    }

    /// Records that a trace has continued.
    pub(super) fn remove(&mut self, trace: &mut Trace) {
        let finished = std::mem::take(&mut trace.finished);
        if finished > 0 {
            for list in &mut self.lists {
                list.remove(&finished);
            }
        }
    }
}
