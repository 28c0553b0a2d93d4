//! The store of the live view: runs, spans and log lines, bounded in number and in bytes.
//!
//! Every change has a number. A client that has all changes up to a number gets the later ones: it
//! misses nothing by a reconnect, and a slow client needs no queue.

mod eviction;
mod logs;
mod run;
mod texts;
mod trace;
mod updates;

pub(crate) use self::trace::{StoredSpan, json};
pub(crate) use self::updates::{Cursor, Updates};

use self::run::{Run, Runs};
use self::texts::Texts;
use self::trace::{MAX_LOGS, MAX_SPANS, Trace, Usage};
use crate::export::encode::redact_span;
use crate::live::feed::Message;
use crate::live::row::{Kind, State, cut, ended_state, kind, micros, name, number, text};
use crate::semconv::attribute as a;
use crate::semconv::gen_ai;
use crate::telemetry::redaction::DenyList;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::collections::VecDeque;
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
    /// Finished traces with a unit, oldest first, with the change that finished each.
    finished: VecDeque<(TraceId, u64)>,
    /// The same for traces without a unit.
    others: VecDeque<(TraceId, u64)>,
    approvals: FxHashMap<SpanId, OpenApproval>,
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
                self.end(span);
            }
            Message::Logged(record) => self.log(record),
        }
    }

    /// Returns the number of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Returns the size of the content in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.trace_bytes + self.runs.bytes
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
        let run = self.run_key(&data, kind);
        // A run that ended without a running segment has a span of length zero.
        let is_end_only =
            kind == Kind::Workflow && text(&data.attributes, a::WORKFLOW_STATUS).is_some();
        if let Some(run) = &run
            && !is_end_only
        {
            self.start_in_run(run, &data, kind);
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
        let span = self.stored(data, kind, run, None);
        if self.put(trace_id, span) {
            self.open_spans += 1;
            if let Some(trace) = self.traces.get_mut(&trace_id) {
                trace.open += 1;
                trace.finished = 0;
            }
        }
    }

    fn start_in_run(&mut self, key: &Arc<str>, data: &SpanData, kind: Kind) {
        let (version, trace) = (self.next_version(), data.span_context.trace_id());
        let started = micros(data.start_time);
        let texts = &mut self.texts;
        let agent = text(&data.attributes, a::AGENT_ID).filter(|_| kind == Kind::Agent);
        let agent = agent.map(|agent| texts.share(&cut(&agent, 80)));
        let create = |key| new_run(texts, key, data, kind, started, trace);
        self.runs.change(key, version, create, |run| {
            if !run.traces.contains(&trace) {
                run.traces.push(trace);
            }
            match kind {
                Kind::Workflow => {
                    run.segments += 1;
                    if !run.state.is_terminal() {
                        (run.state, run.reason) = (State::Running, None);
                    }
                }
                Kind::Agent => {
                    run.agents_started += 1;
                    run.add_agent(agent);
                }
                Kind::Approval => {
                    run.waits += 1;
                    if run.state == State::Running {
                        run.state = State::Waiting;
                    }
                }
                _ => {}
            }
        });
    }

    fn end(&mut self, data: SpanData) {
        let trace_id = data.span_context.trace_id();
        let kind = kind(&data);
        let was_open = self.take_open(trace_id, data.span_context.span_id());
        let run = self.run_key(&data, kind);
        let state = ended_state(&data);
        if let Some(run) = &run {
            self.end_in_run(run, &data, kind, state);
        }
        if kind == Kind::Approval {
            self.approvals.remove(&data.span_context.span_id());
        }
        let span = self.stored(data, kind, run, Some(state));
        self.put(trace_id, span);
        self.finish_trace(trace_id, was_open);
        self.evict(0);
    }

    fn end_in_run(&mut self, key: &Arc<str>, data: &SpanData, kind: Kind, state: State) {
        let (version, trace) = (self.next_version(), data.span_context.trace_id());
        let (started, ended) = (micros(data.start_time), micros(data.end_time));
        let texts = &mut self.texts;
        let error = text(&data.attributes, a::ERROR_TYPE);
        let error = error.map(|error| texts.share(&cut(&error, 120)));
        let create = |key| new_run(texts, key, data, kind, started, trace);
        let count = |key| number(&data.attributes, key).unwrap_or_default();
        self.runs.change(key, version, create, |run| {
            if !run.traces.contains(&trace) {
                run.traces.push(trace);
            }
            if kind == Kind::Workflow {
                run.segment_cost += count(a::WORKFLOW_COST_USD);
            }
            match kind {
                Kind::Workflow if !run.state.is_terminal() => {
                    let reason = text(&data.attributes, a::WORKFLOW_SUSPEND_REASON);
                    let waits = reason.as_ref().is_some_and(|reason| reason.contains("approval"));
                    run.state = if waits { State::Waiting } else { state };
                    run.reason = reason.map(|reason| cut(&reason, 120).into());
                    run.ended = state.is_terminal().then_some(ended);
                    run.error = error;
                }
                Kind::Agent => {
                    run.agents_ended += 1;
                    run.retries += count(a::AGENT_RETRY_COUNT) as u64;
                    run.errors += u32::from(state.is_failure());
                    if run.is_agent && data.parent_span_id == SpanId::INVALID {
                        (run.state, run.ended, run.error) = (state, Some(ended), error);
                    }
                }
                Kind::Approval => {
                    run.waits = run.waits.saturating_sub(1);
                    if run.waits == 0 && run.state == State::Waiting {
                        run.state = State::Running;
                    }
                }
                Kind::Llm => {
                    run.input_tokens += count(gen_ai::USAGE_INPUT_TOKENS) as u64;
                    run.output_tokens += count(gen_ai::USAGE_OUTPUT_TOKENS) as u64;
                    run.call_cost += count(gen_ai::USAGE_COST);
                    run.errors += u32::from(state.is_failure());
                }
                Kind::Tool => run.errors += u32::from(state.is_failure()),
                _ => {}
            }
            run.cost = run.call_cost.max(run.segment_cost);
        });
    }

    /// Returns the run of a span: the one that it names, else that of its parent. An agent without
    /// a workflow is a run of its own.
    fn run_key(&self, data: &SpanData, kind: Kind) -> Option<Arc<str>> {
        let trace_id = data.span_context.trace_id();
        let trace = self.traces.get(&trace_id);
        if let Some(id) = text(&data.attributes, a::WORKFLOW_RUN_ID) {
            let known = trace.and_then(|trace| trace.runs.iter().find(|run| ***run == *id));
            return Some(known.cloned().unwrap_or_else(|| cut(&id, 200).into()));
        }
        let parent = trace.and_then(|trace| trace.span(data.parent_span_id));
        let inherited = parent.and_then(|parent| parent.run.clone());
        match kind {
            Kind::Agent => Some(inherited.unwrap_or_else(|| trace_id.to_string().into())),
            Kind::Llm => inherited.or_else(|| trace?.runs.first().cloned()),
            _ => inherited,
        }
    }

    fn stored(
        &mut self,
        mut data: SpanData,
        kind: Kind,
        run: Option<Arc<str>>,
        state: Option<State>,
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
            state: state.unwrap_or(State::Running),
            error: error.map(|error| self.texts.share(&cut(&error, 120))),
            started: micros(data.start_time),
            ended: state.map(|_| micros(data.end_time)),
            run,
            usage: Usage::of(&data, kind),
            links,
            scope: self.texts.share(data.instrumentation_scope.name()),
            version,
            content: WireSpan::from(data).encode_to_vec().into(),
        }
    }

    /// Adds or replaces a span, unless there is no space.
    fn put(&mut self, id: TraceId, span: StoredSpan) -> bool {
        let is_full = !self.evict(span.bytes());
        let trace = self.traces.entry(id).or_default();
        let is_new = trace.span(span.id).is_none();
        if is_new && (is_full || trace.spans.len() >= MAX_SPANS) {
            trace.dropped += 1;
            self.dropped.no_space += 1;
            return false;
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
            trace.finished = self.version;
            let list = if trace.runs.is_empty() { &mut self.others } else { &mut self.finished };
            list.push_back((id, self.version));
        }
    }
}

fn new_run(
    texts: &mut Texts,
    key: Arc<str>,
    data: &SpanData,
    kind: Kind,
    started: u64,
    trace: TraceId,
) -> Option<Run> {
    let get = |key| text(&data.attributes, key).map(|text| cut(&text, 200));
    let id = match kind {
        Kind::Workflow => get(a::WORKFLOW_ID),
        Kind::Agent => get(a::WORKFLOW_ID).or_else(|| get(a::AGENT_ID)),
        // The start of the run was not seen.
        Kind::Approval => get(a::WORKFLOW_ID),
        _ => return None,
    };
    let is_agent = kind == Kind::Agent && get(a::WORKFLOW_RUN_ID).is_none();
    let trigger = get(if is_agent { a::AGENT_ACTION } else { a::WORKFLOW_TRIGGER });
    let [id, trigger] = [id, trigger].map(|text| texts.share(&text.unwrap_or_default()));
    let mut run = Run::new(key, id, trigger, started, trace);
    run.is_agent = is_agent;
    if let Some(name) = get(a::WORKFLOW_NAME) {
        run.name = texts.share(&name);
    }
    Some(run)
}

#[cfg(test)]
mod tests;
