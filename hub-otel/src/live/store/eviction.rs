//! Removal of the oldest finished traces, so that the store keeps its limits.

use super::Store;

impl Store {
    /// Removes the oldest finished traces beyond the limits. Returns whether there is space for
    /// `room` more bytes.
    pub(super) fn evict(&mut self, room: usize) -> bool {
        while self.others.len() > self.limits.other_traces {
            self.evict_one(true);
        }
        while self.finished.len() > self.limits.finished_traces {
            self.evict_one(false);
        }
        let limit = self.limits.bytes;
        if self.bytes() + room > limit {
            // With a margin, so that a full store does not evict for each span.
            while self.bytes() + room > limit - limit / 32
                && (self.evict_one(true) || self.evict_one(false))
            {}
        }
        self.bytes() + room <= limit
    }

    fn evict_one(&mut self, other: bool) -> bool {
        let list = if other { &mut self.others } else { &mut self.finished };
        let Some((id, finished)) = list.pop_front() else { return false };
        // It has continued since, and is listed again.
        if self.traces.get(&id).is_none_or(|trace| trace.finished != finished) {
            return true;
        }
        let Some(trace) = self.traces.remove(&id) else { return true };
        self.trace_bytes -= trace.bytes;
        self.dropped.evicted_traces += u64::from(!other);
        for key in &trace.runs {
            let (version, mut is_gone) = (self.next_version(), false);
            self.runs.change(
                key,
                version,
                |_| None,
                |run| {
                    run.traces.retain(|trace| *trace != id);
                    is_gone = run.traces.is_empty() && run.state.is_terminal();
                },
            );
            if is_gone {
                self.runs.remove(key, version);
            }
        }
        true
    }
}
