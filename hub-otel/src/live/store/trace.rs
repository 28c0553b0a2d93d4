//! The spans and the log lines of one trace.

use super::processes::Process;
use crate::live::row::{Kind, State, number};
use crate::semconv::gen_ai;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::trace::v1::Span as WireSpan;
use opentelemetry_sdk::trace::SpanData;
use prost::Message as _;
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Limit of the spans of one trace.
pub(super) const MAX_SPANS: usize = 10_000;
/// Limit of the log lines of one trace.
pub(super) const MAX_LOGS: usize = 1_000;
/// Spans of a trace that are searched without an index.
const FEW_SPANS: usize = 16;
/// Estimated size of a span without its content, with its entries in the indexes.
const SPAN_BYTES: usize = 384;
/// Estimated size of a link, with its entries in the indexes.
const LINK_BYTES: usize = 80;
/// Estimated size of a log line without its texts.
const LOG_BYTES: usize = 176;

/// One span.
#[derive(Debug)]
pub(crate) struct StoredSpan {
    pub(crate) id: SpanId,
    pub(super) parent: SpanId,
    pub(super) kind: Kind,
    pub(super) name: Arc<str>,
    /// The end of the id of an agent's execution: several may have one name.
    pub(super) execution: Option<Box<str>>,
    pub(super) state: State,
    pub(super) error: Option<Arc<str>>,
    pub(super) started: u64,
    pub(super) ended: Option<u64>,
    /// The run that the span belongs to.
    pub(super) run: Option<Arc<str>>,
    /// The span names no run: it belongs to the one of its parent, which may arrive later.
    pub(super) has_run_of_parent: bool,
    pub(super) usage: Usage,
    /// Spans that this one links to.
    pub(super) links: Box<[(TraceId, SpanId)]>,
    pub(crate) scope: Arc<str>,
    /// The process that sent the span. `None`: this one.
    pub(crate) process: Option<Arc<Process>>,
    /// One span of OTLP, encoded: a third of the size of its JSON or of the SDK's span. Without an
    /// end time while it is in progress, with the attributes of its start.
    pub(super) content: Box<[u8]>,
    pub(super) version: u64,
}

impl StoredSpan {
    pub(super) fn bytes(&self) -> usize {
        SPAN_BYTES + self.content.len() + self.links.len() * LINK_BYTES
    }

    /// Returns whether the span is in progress.
    pub(crate) fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// Returns the span of OTLP. Without content it has the facts of the row.
    pub(crate) fn to_wire(&self, trace: TraceId) -> WireSpan {
        if !self.content.is_empty() {
            return WireSpan::decode(&*self.content).unwrap_or_default();
        }
        let parent = Some(self.parent).filter(|parent| *parent != SpanId::INVALID);
        WireSpan {
            trace_id: trace.to_bytes().to_vec(),
            span_id: self.id.to_bytes().to_vec(),
            parent_span_id: parent.map_or_else(Vec::new, |parent| parent.to_bytes().to_vec()),
            name: self.name.to_string(),
            start_time_unix_nano: self.started * 1_000,
            end_time_unix_nano: self.ended.unwrap_or_default() * 1_000,
            ..WireSpan::default()
        }
    }
}

/// Tokens and cost of a call of a model.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) input_tokens: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) output_tokens: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) cost: f64,
}

impl Usage {
    pub(super) fn of(span: &SpanData, kind: Kind) -> Self {
        if kind != Kind::Llm {
            return Self::default();
        }
        let count = |key| number(&span.attributes, key).unwrap_or_default();
        Self {
            input_tokens: count(gen_ai::USAGE_INPUT_TOKENS) as u32,
            output_tokens: count(gen_ai::USAGE_OUTPUT_TOKENS) as u32,
            cost: count(gen_ai::USAGE_COST),
        }
    }
}

fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

/// One log line.
#[derive(Debug, Serialize)]
pub(crate) struct StoredLog {
    pub(crate) time: u64,
    /// Severity number of OTLP.
    pub(crate) severity: i32,
    pub(crate) text: Box<str>,
    pub(crate) target: Box<str>,
    pub(crate) span: String,
    /// Content of a call of a model, as attributes of OTLP JSON. The page requests it with the
    /// span.
    #[serde(skip)]
    pub(crate) content: Option<Box<RawValue>>,
    /// The number of its change, which no other line has.
    pub(crate) version: u64,
}

impl StoredLog {
    pub(super) fn bytes(&self) -> usize {
        let content = self.content.as_ref().map_or(0, |content| content.get().len());
        LOG_BYTES + self.text.len() + self.target.len() + content
    }
}

/// One trace.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) spans: Vec<StoredSpan>,
    /// Places of the spans, if there are many.
    index: FxHashMap<SpanId, u32>,
    /// Numbers of changes, ascending, with the place of the span. Of several changes of a span the
    /// last one counts.
    changes: Vec<(u64, u32)>,
    pub(crate) logs: Vec<StoredLog>,
    pub(super) open: usize,
    pub(super) bytes: usize,
    /// Runs with a unit in this trace.
    pub(super) runs: Vec<Arc<str>>,
    /// Ended spans that name no run, by their parents, until those arrive.
    waiting: FxHashMap<SpanId, Vec<u32>>,
    /// Places of the spans with links.
    linking: Vec<u32>,
    /// Another process sent a span whose parent is not known.
    pub(super) expects_parent: bool,
    /// The number of the change that ended the last open span. 0 while there is one.
    pub(super) finished: u64,
    /// Spans and log lines beyond the limits.
    pub(super) dropped: u64,
}

impl Trace {
    pub(crate) fn span(&self, id: SpanId) -> Option<&StoredSpan> {
        self.spans.get(self.place(id)?)
    }

    /// Returns the content of a span that was captured as events.
    pub(crate) fn content(&self, id: SpanId) -> impl Iterator<Item = &RawValue> {
        let id = id.to_string();
        let logs = self.logs.iter().filter(move |log| log.span == id);
        logs.filter_map(|log| log.content.as_deref())
    }

    fn place(&self, id: SpanId) -> Option<usize> {
        if self.index.is_empty() {
            return self.spans.iter().position(|span| span.id == id);
        }
        self.index.get(&id).map(|place| *place as usize)
    }

    /// Adds or replaces a span.
    pub(super) fn put(&mut self, span: StoredSpan) {
        let (id, version) = (span.id, span.version);
        let waits_for = (span.has_run_of_parent && !span.is_open()).then_some(span.parent);
        self.bytes += span.bytes();
        let has_links = !span.links.is_empty();
        let had_links = self.span(id).is_some_and(|known| !known.links.is_empty());
        let place = match self.place(id) {
            Some(place) => {
                let old = std::mem::replace(&mut self.spans[place], span);
                self.bytes -= old.bytes();
                place
            }
            None => self.add(span),
        };
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        if has_links && !had_links {
            self.linking.push(place);
        }
        if let Some(parent) = waits_for.filter(|parent| *parent != SpanId::INVALID) {
            self.waiting.entry(parent).or_default().push(place);
        }
        self.add_change(version, place);
    }

    /// Returns the descendants of a span that waited for their run.
    pub(super) fn take_waiting(&mut self, id: SpanId) -> Vec<u32> {
        let (mut found, mut parents) = (Vec::new(), vec![id]);
        while let Some(parent) = parents.pop() {
            let children = self.waiting.remove(&parent).unwrap_or_default();
            parents.extend(children.iter().filter_map(|place| Some(self.at(*place)?.id)));
            found.extend(children);
        }
        found
    }

    /// Returns the spans with links.
    pub(super) fn linking(&self) -> impl Iterator<Item = &StoredSpan> {
        self.linking.iter().filter_map(|place| self.at(*place))
    }

    fn at(&self, place: u32) -> Option<&StoredSpan> {
        self.spans.get(place as usize)
    }

    fn add_change(&mut self, version: u64, place: u32) {
        if self.changes.len() >= 8 + self.spans.len() * 2 {
            let spans = &self.spans;
            let is_last = |(version, place): &(u64, u32)| {
                spans.get(*place as usize).is_some_and(|span| span.version == *version)
            };
            self.changes.retain(is_last);
        }
        self.changes.push((version, place));
    }

    fn add(&mut self, span: StoredSpan) -> usize {
        let (id, place) = (span.id, self.spans.len());
        // Most traces are small, and there are thousands of them.
        if place < FEW_SPANS {
            self.spans.reserve_exact(1);
        }
        self.spans.push(span);
        if place == FEW_SPANS {
            let all = self.spans.iter().zip(0..);
            self.index = all.map(|(span, place)| (span.id, place)).collect();
        } else if place > FEW_SPANS {
            self.index.insert(id, u32::try_from(place).unwrap_or(u32::MAX));
        }
        place
    }

    /// Returns the spans that changed after `after`, with the numbers of their changes, oldest
    /// first.
    pub(super) fn changed_since(&self, after: u64) -> impl Iterator<Item = (u64, &StoredSpan)> {
        let from = self.changes.partition_point(|(version, _)| *version <= after);
        let changes = self.changes[from..].iter();
        changes.filter_map(|(version, place)| {
            let span = self.spans.get(*place as usize)?;
            (span.version == *version).then_some((*version, span))
        })
    }
}

/// A span as the page gets it.
#[derive(Debug, Serialize)]
pub(crate) struct Row<'a> {
    id: String,
    trace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    kind: Kind,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<&'a str>,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    started: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<String>,
    /// Name and instance of the service of another process.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<[&'a str; 2]>,
    /// Only for a client that searches.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(flatten)]
    usage: Usage,
}

impl<'a> Row<'a> {
    pub(super) fn new(trace: TraceId, span: &'a StoredSpan, text: Option<String>) -> Self {
        Self {
            id: span.id.to_string(),
            trace: trace.to_string(),
            parent: (span.parent != SpanId::INVALID).then(|| span.parent.to_string()),
            kind: span.kind,
            name: &span.name,
            execution: span.execution.as_deref(),
            state: span.state,
            error: span.error.as_deref(),
            started: span.started,
            ended: span.ended,
            run: span.run.as_deref(),
            links: span.links.iter().map(|(_, span)| span.to_string()).collect(),
            process: span.process.as_ref().map(|it| [&*it.service, &*it.instance]),
            text,
            usage: span.usage,
        }
    }
}
