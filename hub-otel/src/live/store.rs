//! The store of the live view: runs, spans and log lines, bounded in number and in bytes.
//!
//! Every change has a number. A client that has all changes up to a number gets the later ones: it
//! misses nothing by a reconnect, and a slow client needs no queue.

mod counts;
mod eviction;
mod finished;
mod logs;
mod processes;
mod progress;
mod run;
mod span_text;
mod texts;
mod trace;
mod updates;

pub(crate) use self::processes::{MAX_PROCESSES, Process, is_same_process};
pub(crate) use self::trace::StoredSpan;
pub(crate) use self::updates::{Cursor, SelectedRun, Updates};

use self::finished::FinishedTraces;
use self::processes::Processes;
use self::run::Runs;
use self::texts::Texts;
use self::trace::{MAX_LOGS, MAX_SPANS, Trace, Usage};
use crate::export::encode::redact_span;
use crate::live::feed::Message;
use crate::live::row::{Kind, State, cut, ended_state, execution, kind, micros, name, text};
use crate::semconv::attribute as a;
use crate::telemetry::redaction::DenyList;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;
use std::sync::Arc;

/// Limits of a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreLimits {
    pub(crate) bytes: usize,
    pub(crate) finished_traces: usize,
    /// Finished traces without a unit.
    pub(crate) other_traces: usize,
    pub(crate) open_spans: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            bytes: 32 * 1024 * 1024,
            finished_traces: 2_000,
            other_traces: 64,
            open_spans: 10_000,
        }
    }
}

/// Counts of items that the store does not contain, by reason.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dropped {
    /// Finished traces that were removed for newer ones.
    pub(crate) evicted_traces: u64,
    /// Spans in progress beyond the limit. Their ends are stored.
    pub(crate) open_spans: u64,
    /// Spans and log lines for which there was no space.
    pub(crate) no_space: u64,
}

/// An approval that waits in this process.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct OpenApproval {
    pub(crate) id: String,
    pub(crate) run: Option<Arc<str>>,
    pub(crate) since: u64,
}

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) limits: StoreLimits,
    deny: DenyList,
    /// The number of the last change.
    version: u64,
    traces: FxHashMap<TraceId, Box<Trace>>,
    pub(crate) runs: Runs,
    finished: FinishedTraces,
    processes: Processes,
    approvals: FxHashMap<SpanId, OpenApproval>,
    /// Traces with links, by the traces that they link to.
    linked_from: FxHashMap<TraceId, FxHashSet<TraceId>>,
    texts: Texts,
    open_spans: usize,
    trace_bytes: usize,
    pub(crate) dropped: Dropped,
}

impl Store {
    pub(crate) fn new(limits: StoreLimits, deny: DenyList) -> Self {
        Self { limits, deny, ..Self::default() }
    }

    /// Applies one message of the feed.
    pub(crate) fn apply(&mut self, message: Message) {
        match message {
            Message::Started(mut span) => {
                redact_span(&mut span, &self.deny);
                self.start(span);
            }
            Message::Ended(mut span) => {
                redact_span(&mut span, &self.deny);
                self.end(span, None);
            }
            Message::Logged(record) => self.log(record),
        }
    }

    /// Stores a span that another process sent, with its resource. Returns `false` if there is no
    /// space for it.
    pub(crate) fn receive(&mut self, mut span: SpanData, process: &Arc<Process>) -> bool {
        redact_span(&mut span, &self.deny);
        self.end(span, Some(Arc::clone(process)))
    }

    /// Returns the process with a resource. `None` if there are too many.
    pub(crate) fn process(&mut self, resource: WireResource) -> Option<Arc<Process>> {
        self.processes.share(resource, &self.deny)
    }

    /// Returns the number of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Returns the size of the content in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.trace_bytes + self.runs.bytes + self.processes.bytes
    }

    pub(crate) fn trace(&self, id: TraceId) -> Option<&Trace> {
        self.traces.get(&id).map(Box::as_ref)
    }

    fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    fn start(&mut self, data: SpanData) {
        let trace_id = data.span_context.trace_id();
        let kind = kind(&data);
        let (run, _) = self.run_key(&data, kind, true);
        // A run that ended without a running segment has a span of length zero.
        let is_end_only =
            kind == Kind::Workflow && text(&data.attributes, a::WORKFLOW_STATUS).is_some();
        if let Some(run) = &run
            && !is_end_only
        {
            self.start_in_run(run, &data, kind, true);
        }
        if kind == Kind::Approval {
            let id = name(&data, kind);
            let approval = OpenApproval { id, run: run.clone(), since: micros(data.start_time) };
            self.approvals.insert(data.span_context.span_id(), approval);
        }
        // Without a unit it is less useful: the last fifth is kept for units.
        let limit = self.limits.open_spans;
        let limit = if kind.is_unit() { limit } else { limit - limit / 5 };
        if self.open_spans >= limit {
            self.dropped.open_spans += 1;
            return;
        }
        let id = data.span_context.span_id();
        let span = self.stored(data, kind, (run.clone(), false), None, None);
        if self.put(trace_id, span) {
            self.open_spans += 1;
            if let Some(trace) = self.traces.get_mut(&trace_id) {
                trace.open += 1;
                self.finished.remove(trace);
            }
        }
        self.adopt(trace_id, id, run);
    }

    /// Stores a span that ended, of another process if there is a `process`. Returns `false` if
    /// there is no space for it. A span that was delivered before changes nothing.
    pub(super) fn end(&mut self, data: SpanData, process: Option<Arc<Process>>) -> bool {
        let (trace_id, id) = (data.span_context.trace_id(), data.span_context.span_id());
        let known = self.traces.get(&trace_id).and_then(|trace| trace.span(id));
        if known.is_some_and(|span| !span.is_open()) {
            return true;
        }
        let kind = kind(&data);
        let was_open = self.take_open(trace_id, id);
        let process = process.filter(|_| !was_open);
        let is_own = process.is_none();
        let (run, has_run_of_parent) = self.run_key(&data, kind, is_own);
        let state = ended_state(&data);
        if let Some(run) = &run {
            let is_end_only = kind == Kind::Workflow && data.start_time == data.end_time;
            if !is_own && !is_end_only {
                self.start_in_run(run, &data, kind, false);
            }
            self.end_in_run(run, &data, kind, state, is_own);
        }
        if kind == Kind::Approval {
            self.approvals.remove(&id);
        }
        let parent = data.parent_span_id;
        let run_of = (run.clone(), has_run_of_parent);
        let span = self.stored(data, kind, run_of, Some(state), process);
        let is_stored = self.put(trace_id, span);
        if !is_own && let Some(trace) = self.traces.get_mut(&trace_id) {
            trace.expects_parent |= parent != SpanId::INVALID && trace.span(parent).is_none();
        }
        self.adopt(trace_id, id, run);
        self.finish_trace(trace_id, was_open);
        self.evict(0);
        is_stored
    }

    fn stored(
        &mut self,
        mut data: SpanData,
        kind: Kind,
        (run, has_run_of_parent): (Option<Arc<str>>, bool),
        state: Option<State>,
        process: Option<Arc<Process>>,
    ) -> StoredSpan {
        let version = self.next_version();
        let links = data.links.iter().map(|link| &link.span_context);
        let links = links.map(|link| (link.trace_id(), link.span_id())).collect();
        let error = text(&data.attributes, a::ERROR_TYPE);
        if state.is_none() {
            data.end_time = std::time::UNIX_EPOCH;
        }
        StoredSpan {
            id: data.span_context.span_id(),
            parent: data.parent_span_id,
            kind,
            name: self.texts.share(&name(&data, kind)),
            execution: execution(&data, kind),
            state: state.unwrap_or(State::Running),
            error: error.map(|error| self.texts.share(&cut(&error, 120))),
            started: micros(data.start_time),
            ended: state.map(|_| micros(data.end_time)),
            run,
            has_run_of_parent,
            usage: Usage::of(&data, kind),
            links,
            scope: self.texts.share(data.instrumentation_scope.name()),
            process,
            version,
            content: WireSpan::from(data).encode_to_vec().into(),
        }
    }

    /// Adds or replaces a span, unless there is no space. The end of a stored span is always
    /// stored, without content if that has no space.
    fn put(&mut self, id: TraceId, mut span: StoredSpan) -> bool {
        let known = self.traces.get(&id).and_then(|trace| trace.span(span.id));
        let (is_new, known) = (known.is_none(), known.map_or(0, StoredSpan::bytes));
        let is_full = !self.evict(span.bytes().saturating_sub(known));
        let trace = self.traces.entry(id).or_default();
        if is_full || (is_new && trace.spans.len() >= MAX_SPANS) {
            trace.dropped += 1;
            self.dropped.no_space += 1;
            if is_new {
                return false;
            }
            span.content = Box::default();
            span.links = trace.span(span.id).map(|known| known.links.clone()).unwrap_or_default();
        }
        for (target, _) in span.links.iter().filter(|(target, _)| *target != id) {
            self.linked_from.entry(*target).or_default().insert(id);
        }
        if let Some(run) = span.run.as_ref().filter(|_| span.kind.is_unit())
            && !trace.runs.contains(run)
        {
            trace.runs.reserve_exact(1);
            trace.runs.push(Arc::clone(run));
        }
        let before = trace.bytes;
        trace.put(span);
        self.trace_bytes = self.trace_bytes + trace.bytes - before;
        true
    }

    /// Removes a span from the count of open ones. Returns whether it was in progress.
    fn take_open(&mut self, trace: TraceId, span: SpanId) -> bool {
        let stored = self.traces.get(&trace).and_then(|trace| trace.span(span));
        let was_open = stored.is_some_and(StoredSpan::is_open);
        if was_open {
            self.open_spans -= 1;
        }
        was_open
    }

    fn finish_trace(&mut self, id: TraceId, was_open: bool) {
        let Some(trace) = self.traces.get_mut(&id) else { return };
        trace.open -= usize::from(was_open && trace.open > 0);
        if trace.open == 0 {
            self.finished.insert(id, trace, self.version);
        }
    }
}

#[cfg(test)]
mod tests;
