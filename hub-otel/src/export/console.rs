//! The console exporter of traces: prints each finished trace as an indented tree on stderr.
//!
//! A trace counts as finished if it has no open span and none started within [`IDLE_TIME`]. The
//! delay is needed because a server span may end before the run that it starts opens its first
//! span.

mod tree;

use crate::export::encode::redact_span;
use crate::export::runtime::ExportPhase;
use crate::export::stderr;
use crate::telemetry::redaction::DenyList;
use opentelemetry::TraceId;
use opentelemetry::trace::Span as _;
use opentelemetry_sdk::trace::Span;
use opentelemetry_sdk::trace::SpanData;
use std::collections::HashMap;
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

/// Buffers spans until their trace is finished.
#[derive(Debug)]
pub(crate) struct ConsoleExporter {
    traces: Mutex<BufferedTraces>,
    wake: Notify,
    deny: DenyList,
    colour: bool,
    owner_pid: u32,
}

#[derive(Debug, Default)]
struct BufferedTraces {
    by_id: HashMap<TraceId, BufferedTrace>,
    spans: usize,
}

#[derive(Debug)]
struct BufferedTrace {
    open_spans: usize,
    spans: Vec<SpanData>,
    /// The time of the last start or end of a span.
    last_change: Instant,
}

impl ConsoleExporter {
    pub(crate) fn new(deny: DenyList, no_color: bool) -> Arc<Self> {
        Arc::new(Self {
            traces: Mutex::default(),
            wake: Notify::new(),
            deny,
            colour: !no_color && std::io::stderr().is_terminal(),
            owner_pid: std::process::id(),
        })
    }

    fn traces(&self) -> MutexGuard<'_, BufferedTraces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the start of a span.
    pub(crate) fn span_started(&self, span: &Span) {
        let context = span.span_context();
        if !context.is_sampled() || std::process::id() != self.owner_pid {
            return;
        }
        let mut traces = self.traces();
        let trace = traces.by_id.entry(context.trace_id()).or_insert_with(BufferedTrace::new);
        trace.open_spans += 1;
        trace.last_change = Instant::now();
    }

    /// Buffers an ended span.
    pub(crate) fn span_ended(&self, mut span: SpanData) {
        if std::process::id() != self.owner_pid {
            return;
        }
        redact_span(&mut span, &self.deny);
        let mut traces = self.traces();
        traces.spans += 1;
        let trace =
            traces.by_id.entry(span.span_context.trace_id()).or_insert_with(BufferedTrace::new);
        trace.open_spans = trace.open_spans.saturating_sub(1);
        trace.spans.push(span);
        trace.last_change = Instant::now();
        let is_finished = trace.open_spans == 0;
        let is_full = traces.spans > MAX_SPANS;
        drop(traces);
        if is_finished || is_full {
            self.wake.notify_one();
        }
    }

    /// Takes the finished traces, or all of them. Sorted by start time.
    fn take_traces(&self, all: bool) -> Vec<Vec<SpanData>> {
        let mut traces = self.traces();
        let all = all || traces.spans > MAX_SPANS;
        let now = Instant::now();
        let mut finished = Vec::new();
        traces.by_id.retain(|_, trace| {
            let is_finished =
                trace.open_spans == 0 && now.duration_since(trace.last_change) >= IDLE_TIME;
            if (is_finished || all) && !trace.spans.is_empty() {
                finished.push(std::mem::take(&mut trace.spans));
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
    }

    /// Returns whether no trace waits to be printed.
    fn is_idle(&self) -> bool {
        self.traces().by_id.values().all(|trace| trace.open_spans > 0)
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

impl BufferedTrace {
    fn new() -> Self {
        Self { open_spans: 0, spans: Vec::new(), last_change: Instant::now() }
    }
}
