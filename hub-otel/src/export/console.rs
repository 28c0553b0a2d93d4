//! The console exporter of traces: prints each finished trace as an indented tree on stderr.
//!
//! A trace counts as finished if it has no open span and none started within [`IDLE_TIME`]. The
//! delay is needed because a server span may end before the run that it starts opens its first
//! span. The table of traces is bounded: over its limit the oldest trace is printed as it is.

mod tree;

use crate::export::diagnostics::Diagnostics;
use crate::export::encode::redact_span;
use crate::export::runtime::ExportPhase;
use crate::export::stderr;
use crate::telemetry::redaction::DenyList;
use opentelemetry::TraceId;
use opentelemetry::trace::SpanContext;
use opentelemetry_sdk::trace::SpanData;
use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::sleep;

/// The time without a new or ended span after which a trace is printed.
const IDLE_TIME: Duration = Duration::from_millis(150);
/// The limit of buffered spans, over all traces. Over it, all traces are printed unfinished.
const MAX_SPANS: usize = 10_000;
/// The same limit in bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The limit of traces in the table. Over it, the oldest one is printed unfinished.
const MAX_TRACES: usize = 1_000;

/// Buffers spans until their trace is finished.
#[derive(Debug)]
pub(crate) struct ConsoleExporter {
    traces: Mutex<BufferedTraces>,
    wake: Notify,
    deny: DenyList,
    diagnostics: Arc<Diagnostics>,
    colour: bool,
    owner_pid: u32,
}

#[derive(Debug, Default)]
struct BufferedTraces {
    by_id: HashMap<TraceId, BufferedTrace>,
    /// Ids in the order of their entry into the table.
    by_age: BTreeMap<u64, TraceId>,
    next_entry: u64,
    spans: usize,
    bytes: usize,
    /// Ended spans of traces that were removed unfinished.
    evicted: Vec<Vec<SpanData>>,
    /// Number of traces that were removed unfinished.
    evictions: u64,
}

#[derive(Debug)]
struct BufferedTrace {
    entry: u64,
    open_spans: usize,
    spans: Vec<SpanData>,
    bytes: usize,
    /// The time of the last start or end of a span.
    last_change: Instant,
}

impl ConsoleExporter {
    pub(crate) fn new(deny: DenyList, no_color: bool, diagnostics: Arc<Diagnostics>) -> Arc<Self> {
        Arc::new(Self {
            traces: Mutex::default(),
            wake: Notify::new(),
            deny,
            diagnostics,
            colour: !no_color && std::io::stderr().is_terminal(),
            owner_pid: std::process::id(),
        })
    }

    fn traces(&self) -> MutexGuard<'_, BufferedTraces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the start of a span.
    pub(crate) fn span_started(&self, context: &SpanContext) {
        if !context.is_sampled() || std::process::id() != self.owner_pid {
            return;
        }
        let mut traces = self.traces();
        let trace = traces.entry(context.trace_id());
        trace.open_spans += 1;
        trace.last_change = Instant::now();
    }

    /// Buffers an ended span of a size in bytes.
    pub(crate) fn span_ended(&self, mut span: SpanData, bytes: usize) {
        if std::process::id() != self.owner_pid {
            return;
        }
        redact_span(&mut span, &self.deny);
        let mut traces = self.traces();
        traces.spans += 1;
        traces.bytes += bytes;
        let trace = traces.entry(span.span_context.trace_id());
        trace.open_spans = trace.open_spans.saturating_sub(1);
        trace.spans.push(span);
        trace.bytes += bytes;
        trace.last_change = Instant::now();
        let is_finished = trace.open_spans == 0;
        let is_full = traces.is_full() || !traces.evicted.is_empty();
        drop(traces);
        if is_finished || is_full {
            self.wake.notify_one();
        }
    }

    /// Takes the finished traces, or all of them. Sorted by start time.
    fn take_traces(&self, all: bool) -> Vec<Vec<SpanData>> {
        let mut traces = self.traces();
        let traces = &mut *traces;
        let all = all || traces.is_full();
        let now = Instant::now();
        let mut finished = std::mem::take(&mut traces.evicted);
        traces.by_id.retain(|_, trace| {
            let is_finished =
                trace.open_spans == 0 && now.duration_since(trace.last_change) >= IDLE_TIME;
            if (is_finished || all) && !trace.spans.is_empty() {
                finished.push(std::mem::take(&mut trace.spans));
                traces.bytes -= std::mem::take(&mut trace.bytes);
            }
            if is_finished {
                traces.by_age.remove(&trace.entry);
            }
            !is_finished
        });
        traces.spans -= finished.iter().map(Vec::len).sum::<usize>();
        finished.sort_by_key(|spans| spans.iter().map(|span| span.start_time).min());
        finished
    }

    /// Prints the finished traces, or all ended spans.
    pub(crate) fn print(&self, all: bool) {
        for spans in self.take_traces(all) {
            let tree = tree::render_trace(spans, self.colour);
            stderr::print(tree);
        }
        let evictions = self.traces().evictions;
        if evictions > 0 {
            self.diagnostics.log_throttled(
                "console evictions",
                &format!(
                    "more than {MAX_TRACES} traces are unfinished: {evictions} so far were \
                     printed before their end"
                ),
            );
        }
    }

    /// Returns whether no trace waits to be printed.
    fn is_idle(&self) -> bool {
        let traces = self.traces();
        traces.evicted.is_empty() && traces.by_id.values().all(|trace| trace.open_spans > 0)
    }

    /// Prints finished traces until the shutdown.
    pub(crate) async fn run(self: Arc<Self>, mut phase: watch::Receiver<ExportPhase>) {
        loop {
            if *phase.borrow_and_update() != ExportPhase::Running {
                break;
            }
            tokio::select! {
                () = self.wake.notified(), if self.is_idle() => {}
                () = sleep(IDLE_TIME), if !self.is_idle() => {}
                changed = phase.changed() => if changed.is_err() { break },
            }
            self.print(false);
        }
        self.print(true);
    }
}

impl BufferedTraces {
    fn is_full(&self) -> bool {
        self.spans > MAX_SPANS || self.bytes > MAX_BYTES
    }

    /// Returns a trace, which is new or in the table.
    fn entry(&mut self, id: TraceId) -> &mut BufferedTrace {
        if self.by_id.len() >= MAX_TRACES && !self.by_id.contains_key(&id) {
            self.evict_oldest();
        }
        self.by_id.entry(id).or_insert_with(|| {
            let entry = self.next_entry;
            self.next_entry += 1;
            self.by_age.insert(entry, id);
            BufferedTrace {
                entry,
                open_spans: 0,
                spans: Vec::new(),
                bytes: 0,
                last_change: Instant::now(),
            }
        })
    }

    fn evict_oldest(&mut self) {
        let oldest = self.by_age.pop_first().and_then(|(_, id)| self.by_id.remove(&id));
        if let Some(trace) = oldest {
            self.evictions += 1;
            self.bytes -= trace.bytes;
            if !trace.spans.is_empty() {
                self.evicted.push(trace.spans);
            }
        }
    }
}
