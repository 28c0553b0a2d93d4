//! `OTEL_TRACES_EXPORTER=console`: each finished trace as an indented tree on stderr.
//!
//! A trace is finished when none of its spans is open and none has begun for a moment: a server span that ends while
//! the run that it started goes on is not the end of the trace.

mod tree;

use crate::export::encode::redact_span;
use crate::export::retry::Phase;
use crate::telemetry::redaction::DenyList;
use opentelemetry::TraceId;
use opentelemetry::trace::Span as _;
use opentelemetry_sdk::trace::Span;
use opentelemetry_sdk::trace::SpanData;
use std::collections::HashMap;
use std::io::IsTerminal;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Notify;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long a trace has to be quiet.
const QUIET: Duration = Duration::from_millis(150);
/// What is held back at most, over all traces: beyond it everything that is there is printed.
const MOST_SPANS: usize = 10_000;

/// Collects spans until their trace is finished.
#[derive(Debug)]
pub(crate) struct Console {
    traces: Mutex<Traces>,
    wake: Notify,
    deny: DenyList,
    colour: bool,
    owner: u32,
}

#[derive(Debug, Default)]
struct Traces {
    by_id: HashMap<TraceId, Trace>,
    spans: usize,
}

#[derive(Debug)]
struct Trace {
    open: usize,
    spans: Vec<SpanData>,
    last: Instant,
}

impl Console {
    pub(crate) fn new(deny: DenyList, no_color: bool) -> Arc<Self> {
        Arc::new(Self {
            traces: Mutex::default(),
            wake: Notify::new(),
            deny,
            colour: !no_color && std::io::stderr().is_terminal(),
            owner: std::process::id(),
        })
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A span began.
    pub(crate) fn started(&self, span: &Span) {
        let context = span.span_context();
        if !context.is_sampled() || std::process::id() != self.owner {
            return;
        }
        let mut traces = self.traces();
        let trace = traces.by_id.entry(context.trace_id()).or_insert_with(Trace::new);
        trace.open += 1;
        trace.last = Instant::now();
    }

    /// A span ended.
    pub(crate) fn ended(&self, mut span: SpanData) {
        if std::process::id() != self.owner {
            return;
        }
        redact_span(&mut span, &self.deny);
        let mut traces = self.traces();
        traces.spans += 1;
        let trace = traces.by_id.entry(span.span_context.trace_id()).or_insert_with(Trace::new);
        trace.open = trace.open.saturating_sub(1);
        trace.spans.push(span);
        trace.last = Instant::now();
        let finished = trace.open == 0;
        let too_many = traces.spans > MOST_SPANS;
        drop(traces);
        if finished || too_many {
            self.wake.notify_one();
        }
    }

    /// Takes out the traces that are finished, or all of them.
    fn finished(&self, all: bool) -> Vec<Vec<SpanData>> {
        let mut traces = self.traces();
        let all = all || traces.spans > MOST_SPANS;
        let now = Instant::now();
        let mut finished = Vec::new();
        traces.by_id.retain(|_, trace| {
            let is_finished = trace.open == 0 && now.duration_since(trace.last) >= QUIET;
            if (is_finished || all) && !trace.spans.is_empty() {
                finished.push(std::mem::take(&mut trace.spans));
            }
            !is_finished
        });
        traces.spans -= finished.iter().map(Vec::len).sum::<usize>();
        finished.sort_by_key(|spans| spans.iter().map(|span| span.start_time).min());
        finished
    }

    /// Prints what is finished; with `all`, everything that has ended.
    pub(crate) fn print(&self, all: bool) {
        for spans in self.finished(all) {
            let text = tree::render(spans, self.colour);
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }

    fn is_idle(&self) -> bool {
        self.traces().by_id.values().all(|trace| trace.open > 0)
    }

    /// Prints traces as they finish, until shutdown.
    pub(crate) async fn run(self: Arc<Self>, mut phase: watch::Receiver<Phase>) {
        loop {
            if *phase.borrow_and_update() != Phase::Running {
                break;
            }
            tokio::select! {
                () = self.wake.notified(), if self.is_idle() => {}
                () = sleep(QUIET), if !self.is_idle() => {}
                changed = phase.changed() => if changed.is_err() { break },
            }
            self.print(false);
        }
        self.print(true);
    }
}

impl Trace {
    fn new() -> Self {
        Self { open: 0, spans: Vec::new(), last: Instant::now() }
    }
}
