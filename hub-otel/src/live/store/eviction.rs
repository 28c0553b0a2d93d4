//! Removal of the oldest finished traces, so that the store keeps its limits.

use super::Store;
use super::finished::List;
use crate::live::row::State;
use std::collections::hash_map::Entry;

impl Store {
    /// Removes the oldest finished traces beyond the limits. Returns whether there is space for
    /// `room` more bytes.
    pub(super) fn evict(&mut self, room: usize) -> bool {
        let limits = self.limits;
        for (list, limit) in [
            (List::Others, limits.other_traces),
            (List::Expecting, limits.finished_traces),
            (List::Units, limits.finished_traces),
        ] {
            while self.finished.lists[list as usize].len() > limit {
                self.evict_one(list);
            }
        }
        let limit = limits.bytes;
        if self.bytes() + room > limit {
            // With a margin, so that a full store does not evict for each span.
            while self.bytes() + room > limit - limit / 32
                && [List::Others, List::Expecting, List::Units]
                    .into_iter()
                    .any(|list| self.evict_one(list))
            {}
        }
        self.bytes() + room <= limit
    }

    fn evict_one(&mut self, list: List) -> bool {
        let Some((_, id)) = self.finished.lists[list as usize].pop_first() else { return false };
        let Some(trace) = self.traces.remove(&id) else { return true };
        self.trace_bytes -= trace.bytes;
        for (target, _) in trace.linking().flat_map(|span| &span.links) {
            if let Entry::Occupied(mut sources) = self.linked_from.entry(*target) {
                sources.get_mut().remove(&id);
                if sources.get().is_empty() {
                    sources.remove();
                }
            }
        }
        self.dropped.evicted_traces += u64::from(list != List::Others);
        for key in &trace.runs {
            let (version, mut is_gone) = (self.next_version(), false);
            self.runs.change(key, version, None, |run| {
                run.traces.retain(|trace| *trace != id);
                // The end of a run in another process may never arrive.
                let is_lost = run.state == State::Running && !run.is_open();
                is_gone = run.traces.is_empty() && (run.state.is_terminal() || is_lost);
            });
            if is_gone {
                self.runs.remove(key, version);
            }
        }
        true
    }
}
