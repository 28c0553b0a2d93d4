//! Changes since a number, as JSON for the page.

use super::run::{Run, Totals};
use super::trace::{Row, StoredLog, StoredSpan};
use super::{Dropped, OpenApproval, Store};
use opentelemetry::trace::{SpanId, TraceId};
use serde::Serialize;

/// Runs of one message. More follow in the next one.
const MAX_RUNS: usize = 500;
/// Spans of one message.
const MAX_ROWS: usize = 2_500;
/// Encoded content of the spans of one message with texts, in bytes.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Approvals of one message, the oldest ones.
const MAX_APPROVALS: usize = 200;
/// Links of one message.
const MAX_LINKS: usize = 50;

/// The changes that a client has.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Runs up to this change.
    pub(crate) runs: u64,
    /// Spans and log lines of the selected run up to this change.
    pub(crate) detail: u64,
}

/// The run whose spans and log lines a client gets.
#[derive(Debug, Clone)]
pub(crate) struct SelectedRun {
    pub(crate) key: String,
    /// The client searches: the spans have their texts.
    pub(crate) has_texts: bool,
}

/// One message for a client.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Updates<'a> {
    runs: Vec<&'a Run>,
    removed: Vec<&'a str>,
    totals: Totals,
    listed: usize,
    approvals: Vec<&'a OpenApproval>,
    bytes: usize,
    limit: usize,
    dropped: Dropped,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Detail<'a>>,
}

/// Spans and log lines of the selected run.
#[derive(Debug, Serialize)]
struct Detail<'a> {
    run: &'a str,
    /// The run is not in the store.
    missing: bool,
    spans: Vec<Row<'a>>,
    logs: Vec<&'a StoredLog>,
    /// Spans and log lines beyond the limits.
    dropped: u64,
    /// Runs that the spans of this run link to, and runs that link to it.
    linked: Vec<Linked<'a>>,
}

/// A link between two runs.
#[derive(Debug, Serialize)]
struct Linked<'a> {
    run: &'a str,
    name: &'a str,
    /// `true` if the other run has the link.
    back: bool,
}

impl Store {
    /// Returns whether `runs` is too old for the list of removed runs.
    pub(crate) fn is_outdated(&self, cursor: Cursor) -> bool {
        cursor.runs > self.version || (cursor.runs > 0 && cursor.runs < self.runs.forgotten)
    }

    /// Returns the changes after `cursor`, and the cursor after them. `is_complete` is `false` if
    /// more changes follow.
    pub(crate) fn updates(
        &self,
        cursor: Cursor,
        selected: Option<&SelectedRun>,
    ) -> (Updates<'_>, Cursor, bool) {
        let runs: Vec<&Run> = self.runs.changed_since(cursor.runs, MAX_RUNS).collect();
        let has_all_runs = runs.len() < MAX_RUNS;
        let until =
            if has_all_runs { self.version } else { runs.last().map_or(0, |run| run.version) };
        let mut next = Cursor { runs: until, detail: self.version };
        let mut is_complete = has_all_runs;
        let detail = selected.map(|selected| {
            let (detail, reached) = self.detail(selected, cursor.detail);
            is_complete &= reached == self.version;
            next.detail = reached;
            detail
        });
        let mut approvals: Vec<_> = self.approvals.values().collect();
        approvals.sort_by_key(|approval| approval.since);
        approvals.truncate(MAX_APPROVALS);
        let updates = Updates {
            removed: self.runs.removed_since(cursor.runs, until),
            runs,
            totals: self.runs.totals,
            listed: self.runs.len(),
            approvals,
            bytes: self.bytes(),
            limit: self.limits.bytes,
            dropped: self.dropped,
            detail,
        };
        (updates, next, is_complete)
    }

    /// Returns the changes of one run, and the number that they reach.
    fn detail<'a>(&'a self, selected: &SelectedRun, after: u64) -> (Detail<'a>, u64) {
        let run = self.runs.get(&selected.key);
        let mut detail = Detail {
            run: run.map_or("", |run| &*run.key),
            missing: run.is_none(),
            spans: Vec::new(),
            logs: Vec::new(),
            dropped: 0,
            linked: Vec::new(),
        };
        let Some(run) = run else { return (detail, self.version) };
        let traces = || run.traces.iter().filter_map(|id| Some((*id, self.traces.get(id)?)));
        let mut rows = Vec::new();
        for (id, trace) in traces() {
            detail.dropped += trace.dropped;
            let changed = trace.changed_since(after).take(MAX_ROWS);
            rows.extend(changed.map(|(version, span)| (version, id, span)));
        }
        rows.sort_unstable_by_key(|(version, ..)| *version);
        let mut bytes = 0;
        let exceeding = rows.iter().position(|(.., span)| {
            bytes += span.content.len();
            selected.has_texts && bytes > MAX_TEXT_BYTES
        });
        // At least one: the next message continues after it.
        let limit = exceeding.map_or(MAX_ROWS, |index| index.clamp(1, MAX_ROWS));
        let mut reached = self.version;
        if rows.len() >= limit {
            rows.truncate(limit);
            reached = rows.last().map_or(reached, |(version, ..)| *version);
        }
        let row = |(_, id, span): &(u64, TraceId, &'a StoredSpan)| {
            let trace = self.traces.get(id).filter(|_| selected.has_texts);
            Row::new(*id, span, trace.map(|trace| trace.text(*id, span)))
        };
        detail.spans = rows.iter().map(row).collect();
        for (_, trace) in traces() {
            let from = trace.logs.partition_point(|log| log.version <= after);
            detail.logs.extend(trace.logs[from..].iter().filter(|log| log.version <= reached));
        }
        detail.logs.sort_by_key(|log| log.time);
        detail.linked = self.linked(run);
        (detail, reached)
    }

    /// Returns the runs that a run links to, and those that link to it, each once.
    fn linked(&self, run: &Run) -> Vec<Linked<'_>> {
        let mut linked: Vec<Linked<'_>> = Vec::new();
        let is_own = |trace: &TraceId| run.traces.contains(trace);
        let mut add = |key: Option<&str>, back: bool| {
            let Some(Run { key, name, .. }) = key.and_then(|key| self.runs.get(key)) else {
                return;
            };
            let is_known = linked.iter().any(|link| link.run == &**key && link.back == back);
            if !is_known && linked.len() < MAX_LINKS {
                linked.push(Linked { run: key, name, back });
            }
        };
        let target = |(trace, span): &(TraceId, SpanId)| self.traces.get(trace)?.span(*span);
        for trace in run.traces.iter().filter_map(|id| self.traces.get(id)) {
            for link in trace.linking().flat_map(|span| &span.links) {
                if !is_own(&link.0) {
                    add(target(link).and_then(|target| target.run.as_deref()), false);
                }
            }
        }
        for id in &run.traces {
            let sources = self.linked_from.get(id).into_iter().flatten();
            let sources = sources.filter(|source| !is_own(source));
            for source in sources.filter_map(|source| self.traces.get(source)) {
                for span in source.linking() {
                    if span.links.iter().any(|link| link.0 == *id && target(link).is_some()) {
                        add(span.run.as_deref(), true);
                    }
                }
            }
        }
        linked
    }

    /// Returns the traces of a run.
    pub(crate) fn traces_of(&self, key: &str) -> Vec<TraceId> {
        self.runs.get(key).map(|run| run.traces.clone()).unwrap_or_default()
    }
}
