//! The run of a span, and the counts of a run: agents, retries, errors, tokens, cost.
//!
//! A span of this process is known from its start, and so is its parent. Spans of other processes
//! arrive at their end, children before their parents: what names no run waits for its parent.

use super::Store;
use super::progress::End;
use super::run::Run;
use super::texts::Texts;
use super::trace::{StoredSpan, Usage};
use crate::live::row::{Kind, State, cut, micros, number, text};
use crate::semconv::attribute as a;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;
use std::sync::Arc;

impl Store {
    /// Counts the start of a span in its run.
    pub(super) fn start_in_run(
        &mut self,
        key: &Arc<str>,
        data: &SpanData,
        kind: Kind,
        is_own: bool,
    ) {
        let (version, trace) = (self.next_version(), data.span_context.trace_id());
        let texts = &mut self.texts;
        let agent = text(&data.attributes, a::AGENT_ID).filter(|_| kind == Kind::Agent);
        let agent = agent.map(|agent| texts.share(&cut(&agent, 80)));
        let seen = new_run(texts, key, data, kind);
        self.runs.change(key, version, seen, |run| {
            run.add_trace(trace);
            match kind {
                Kind::Workflow => {
                    run.segments += 1;
                    if is_own {
                        run.segment_started();
                    }
                }
                Kind::Agent => {
                    run.agents_started += 1;
                    run.add_agent(agent);
                }
                Kind::Approval if is_own => run.approval_started(),
                _ => {}
            }
        });
    }

    /// Counts the end of a span in its run.
    pub(super) fn end_in_run(
        &mut self,
        key: &Arc<str>,
        data: &SpanData,
        kind: Kind,
        state: State,
        is_own: bool,
    ) {
        let (version, trace) = (self.next_version(), data.span_context.trace_id());
        let ended = micros(data.end_time);
        let parent = self.traces.get(&trace).and_then(|trace| trace.span(data.parent_span_id));
        let is_outermost = parent.is_none_or(|parent| parent.run.as_ref() != Some(key));
        let texts = &mut self.texts;
        let error = text(&data.attributes, a::ERROR_TYPE);
        let error = error.map(|error| texts.share(&cut(&error, 120)));
        let reason = text(&data.attributes, a::WORKFLOW_SUSPEND_REASON);
        let reason = reason.map(|reason| cut(&reason, 120).into());
        let end = End { at: ended, state, error, reason };
        let is_known = is_own && self.runs.get(key).is_some();
        let seen = if is_known { None } else { new_run(texts, key, data, kind) };
        let count = |key| number(&data.attributes, key).unwrap_or_default();
        self.runs.change(key, version, seen, |run| {
            run.add_trace(trace);
            match kind {
                Kind::Workflow => {
                    run.segment_cost += count(a::WORKFLOW_COST_USD);
                    run.update_cost();
                    run.segment_ended(end, is_own);
                }
                Kind::Agent => {
                    run.agents_ended += 1;
                    run.retries += count(a::AGENT_RETRY_COUNT) as u64;
                    run.errors += u32::from(state.is_failure());
                    if run.is_agent && is_outermost {
                        run.segment_ended(end, is_own);
                    }
                }
                Kind::Approval => run.approval_ended(ended, is_own),
                _ => run.add_call(kind, state, Usage::of(data, kind)),
            }
        });
    }

    /// Gives descendants that arrived before a span, and name no run, the run of that span.
    pub(super) fn adopt(&mut self, trace_id: TraceId, id: SpanId, run: Option<Arc<str>>) {
        let Some(key) = run else { return };
        let Some(trace) = self.traces.get_mut(&trace_id) else { return };
        if trace.span(id).is_none() {
            return;
        }
        for place in trace.take_waiting(id) {
            let Some(span) = trace.spans.get_mut(place as usize) else { continue };
            let previous = span.run.replace(Arc::clone(&key));
            let (kind, state, usage) = (span.kind, span.state, span.usage);
            self.version += 1;
            let version = self.version;
            match previous {
                Some(previous) if previous == key => {}
                // An agent whose workflow was not known was a run of its own.
                Some(previous) => {
                    let Some(part) = self.runs.take_part(&previous, version) else { continue };
                    self.runs.change(&key, version, None, |run| run.add_part(&part));
                    let of_part = |span: &&mut StoredSpan| span.run.as_ref() == Some(&previous);
                    let spans = trace.spans.iter_mut().filter(of_part);
                    spans.for_each(|span| span.run = Some(Arc::clone(&key)));
                    trace.runs.retain(|run| *run != previous && *run != key);
                    trace.runs.push(Arc::clone(&key));
                }
                None => {
                    let add = |run: &mut Run| run.add_call(kind, state, usage);
                    self.runs.change(&key, version, None, add);
                }
            }
        }
    }

    /// Returns the run of a span, and whether that is the one of its parent: the run that it names,
    /// else that of its parent. An agent without a workflow is a run of its own.
    pub(super) fn run_key(
        &self,
        data: &SpanData,
        kind: Kind,
        is_own: bool,
    ) -> (Option<Arc<str>>, bool) {
        let trace_id = data.span_context.trace_id();
        let trace = self.traces.get(&trace_id);
        if let Some(id) = text(&data.attributes, a::WORKFLOW_RUN_ID) {
            let known = trace.and_then(|trace| trace.runs.iter().find(|run| ***run == *id));
            return (Some(known.cloned().unwrap_or_else(|| cut(&id, 200).into())), false);
        }
        let parent = trace.and_then(|trace| trace.span(data.parent_span_id));
        if let Some(run) = parent.and_then(|parent| parent.run.clone()) {
            // The parent may be a part of a run that is not known yet.
            let is_of_trace = *run == *trace_id.to_string();
            return (Some(run), is_of_trace && kind == Kind::Agent);
        }
        let run = match kind {
            Kind::Agent => Some(trace_id.to_string().into()),
            Kind::Llm if is_own => trace.and_then(|trace| trace.runs.first().cloned()),
            _ => None,
        };
        let may_change = run.is_none() || kind == Kind::Agent;
        (run, may_change)
    }
}

/// Returns the run as a span shows it. `None` for a span that begins no run.
fn new_run(texts: &mut Texts, key: &Arc<str>, data: &SpanData, kind: Kind) -> Option<Run> {
    let (started, trace) = (micros(data.start_time), data.span_context.trace_id());
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
    let mut run = Run::new(Arc::clone(key), id, trigger, started, trace);
    run.is_agent = is_agent;
    if let Some(name) = get(a::WORKFLOW_NAME) {
        run.name = texts.share(&name);
    }
    Some(run)
}
