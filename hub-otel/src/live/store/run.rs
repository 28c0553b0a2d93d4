//! Runs: the entries of the list, and exact counters.

use super::progress::Progress;
use super::trace::Usage;
use crate::live::row::{Kind, State};
use opentelemetry::trace::TraceId;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Limit of the runs in the list.
const MAX_RUNS: usize = 12_000;
/// Limit of the agents that a run lists by name.
const MAX_AGENTS: usize = 16;
/// Removed runs that are remembered for clients that reconnect.
const MAX_REMOVED: usize = 4_096;
/// Estimated size of a run without its texts, with its entries in the indexes.
const RUN_BYTES: usize = 480;

/// One run of a workflow, or a trace whose first unit is an agent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(super) key: Arc<str>,
    /// `true` for an agent without a workflow.
    pub(super) is_agent: bool,
    pub(super) id: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) trigger: Arc<str>,
    pub(super) state: State,
    /// Reason of a suspension.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Arc<str>>,
    pub(super) started: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<u64>,
    pub(super) segments: u32,
    pub(super) agents: Vec<Arc<str>>,
    pub(super) agents_started: u32,
    pub(super) agents_ended: u32,
    pub(super) retries: u64,
    pub(super) errors: u32,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cost: f64,
    /// Sum over the calls of models.
    #[serde(skip)]
    pub(super) call_cost: f64,
    /// Sum over the segments, of which each contains its calls.
    #[serde(skip)]
    pub(super) segment_cost: f64,
    #[serde(serialize_with = "as_text")]
    pub(super) trace: TraceId,
    #[serde(skip)]
    pub(super) traces: Vec<TraceId>,
    #[serde(skip)]
    pub(super) progress: Progress,
    #[serde(skip)]
    pub(super) version: u64,
}

impl Run {
    pub(super) fn new(
        key: Arc<str>,
        id: Arc<str>,
        trigger: Arc<str>,
        started: u64,
        trace: TraceId,
    ) -> Self {
        Self {
            key,
            is_agent: false,
            name: Arc::clone(&id),
            trigger,
            id,
            state: State::Running,
            reason: None,
            error: None,
            started,
            ended: None,
            segments: 0,
            agents: Vec::new(),
            agents_started: 0,
            agents_ended: 0,
            retries: 0,
            errors: 0,
            input_tokens: 0,
            output_tokens: 0,
            cost: 0.0,
            call_cost: 0.0,
            segment_cost: 0.0,
            trace,
            traces: vec![trace],
            progress: Progress::default(),
            version: 0,
        }
    }

    fn bytes(&self) -> usize {
        RUN_BYTES + self.key.len() + self.traces.len() * 16 + self.agents.len() * 16
    }

    /// Takes the name, the trigger and the start from an earlier span.
    fn see(&mut self, earlier: Self) {
        let is_first = earlier.started <= self.started || self.trigger.is_empty();
        if is_first && !earlier.trigger.is_empty() {
            (self.id, self.name, self.trigger) = (earlier.id, earlier.name, earlier.trigger);
        }
        if earlier.started < self.started {
            (self.started, self.trace) = (earlier.started, earlier.trace);
        }
    }

    /// Adds what was counted for a part of the run.
    pub(super) fn add_part(&mut self, part: &Self) {
        self.started = self.started.min(part.started);
        part.agents.iter().for_each(|agent| self.add_agent(Some(Arc::clone(agent))));
        self.agents_started += part.agents_started;
        self.agents_ended += part.agents_ended;
        self.retries += part.retries;
        self.errors += part.errors;
        self.input_tokens += part.input_tokens;
        self.output_tokens += part.output_tokens;
        self.call_cost += part.call_cost;
        self.update_cost();
        part.traces.iter().for_each(|trace| self.add_trace(*trace));
    }

    /// Adds the usage and the failure of a call of a model or of a tool.
    pub(super) fn add_call(&mut self, kind: Kind, state: State, usage: Usage) {
        if !matches!(kind, Kind::Llm | Kind::Tool) {
            return;
        }
        self.input_tokens += u64::from(usage.input_tokens);
        self.output_tokens += u64::from(usage.output_tokens);
        self.call_cost += usage.cost;
        self.errors += u32::from(state.is_failure());
        self.update_cost();
    }

    /// The calls are a part of the segments. Those of segments in progress are in no segment yet.
    pub(super) fn update_cost(&mut self) {
        self.cost = self.call_cost.max(self.segment_cost);
    }

    pub(super) fn add_trace(&mut self, trace: TraceId) {
        if !self.traces.contains(&trace) {
            self.traces.push(trace);
        }
    }

    /// Adds the name of an agent.
    pub(super) fn add_agent(&mut self, name: Option<Arc<str>>) {
        let Some(name) = name.filter(|_| self.agents.len() < MAX_AGENTS) else { return };
        if !self.agents.contains(&name) {
            self.agents.reserve_exact(1);
            self.agents.push(name);
        }
    }
}

fn as_text<S: serde::Serializer>(id: &TraceId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Counts of runs since the start of the process.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Totals {
    pub(crate) started: u64,
    pub(crate) running: u64,
    pub(crate) waiting: u64,
    pub(crate) suspended: u64,
    pub(crate) success: u64,
    pub(crate) failed: u64,
    pub(crate) timed_out: u64,
    pub(crate) cancelled: u64,
    pub(crate) rejected: u64,
    /// Ended runs that are no longer in the list, and running ones beyond its limit.
    pub(crate) unlisted: u64,
}

impl Totals {
    fn of(&mut self, state: State) -> &mut u64 {
        match state {
            State::Running => &mut self.running,
            State::Waiting => &mut self.waiting,
            State::Suspended => &mut self.suspended,
            State::Success => &mut self.success,
            State::Failed => &mut self.failed,
            State::TimedOut => &mut self.timed_out,
            State::Cancelled => &mut self.cancelled,
            State::Rejected => &mut self.rejected,
        }
    }
}

/// All runs.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// Boxed: a table of large entries has as much unused space again.
    by_key: FxHashMap<Arc<str>, Box<Run>>,
    /// Runs by the number of their last change.
    changes: BTreeMap<u64, Arc<str>>,
    removed: VecDeque<(u64, Arc<str>)>,
    /// The number of the last removal that is no longer remembered.
    pub(super) forgotten: u64,
    pub(super) totals: Totals,
    pub(super) bytes: usize,
}

impl Runs {
    pub(crate) fn get(&self, key: &str) -> Option<&Run> {
        self.by_key.get(key).map(Box::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Changes a run. `seen` is the run as the span shows it, for one that is new or that was known
    /// by a later span. `version` is the number of the change.
    pub(super) fn change(
        &mut self,
        key: &Arc<str>,
        version: u64,
        seen: Option<Run>,
        change: impl FnOnce(&mut Run),
    ) {
        if !self.by_key.contains_key(key) {
            let Some(run) = seen else { return };
            if self.by_key.len() >= MAX_RUNS && !self.evict_oldest(version) {
                return;
            }
            self.totals.started += 1;
            *self.totals.of(run.state) += 1;
            self.bytes += run.bytes();
            self.by_key.insert(Arc::clone(key), Box::new(run));
            return self.change(key, version, None, change);
        }
        let Some(run) = self.by_key.get_mut(key) else { return };
        let (state, bytes) = (run.state, run.bytes());
        if let Some(seen) = seen {
            run.see(seen);
        }
        change(run);
        self.bytes = self.bytes + run.bytes() - bytes;
        if run.state != state {
            *self.totals.of(state) -= 1;
            *self.totals.of(run.state) += 1;
        }
        self.changes.remove(&run.version);
        run.version = version;
        self.changes.insert(version, Arc::clone(key));
    }

    /// Removes the ended run, else the run, that has not changed for the longest time.
    fn evict_oldest(&mut self, version: u64) -> bool {
        let is_ended =
            |key: &&Arc<str>| self.by_key.get(*key).is_some_and(|run| run.state.is_terminal());
        let oldest = self.changes.values().take(256).find(is_ended);
        let Some(key) = oldest.or_else(|| self.changes.values().next()).cloned() else {
            return false;
        };
        self.remove(&key, version);
        true
    }

    pub(super) fn remove(&mut self, key: &str, version: u64) -> Option<Box<Run>> {
        let (key, run) = self.by_key.remove_entry(key)?;
        self.changes.remove(&run.version);
        self.bytes -= run.bytes();
        self.totals.unlisted += 1;
        self.removed.push_back((version, key));
        if self.removed.len() > MAX_REMOVED
            && let Some((version, _)) = self.removed.pop_front()
        {
            self.forgotten = version;
        }
        Some(run)
    }

    /// Removes a run that turned out to be a part of another one. Returns it.
    pub(super) fn take_part(&mut self, key: &str, version: u64) -> Option<Box<Run>> {
        let run = self.remove(key, version)?;
        self.totals.unlisted -= 1;
        self.totals.started -= 1;
        *self.totals.of(run.state) -= 1;
        Some(run)
    }

    /// Returns at most `max` runs that changed after `after`, oldest change first.
    pub(crate) fn changed_since(&self, after: u64, max: usize) -> impl Iterator<Item = &Run> {
        let keys = self.changes.range(after + 1..).take(max);
        keys.filter_map(|(_, key)| self.get(key))
    }

    /// Returns the runs that were removed after `after`, up to the change `until`.
    pub(crate) fn removed_since(&self, after: u64, until: u64) -> Vec<&str> {
        let range =
            self.removed.iter().filter(|(version, _)| *version > after && *version <= until);
        range.map(|(_, key)| &**key).collect()
    }
}
