//! The writer of stderr: one thread per process, with a bounded queue.
//!
//! stderr can be a full pipe without a reader or a paused terminal, where a write blocks for an
//! unlimited time. Only the thread of this module is blocked by that. Output beyond the limit of
//! the queue is dropped; the next line that is written states the number.

use crate::per_process::PerProcess;
use opentelemetry::Context;
use std::collections::VecDeque;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The limit of waiting output.
const MAX_BYTES: usize = 1024 * 1024;
/// The name of each thread of this crate begins with this word.
const THREAD_NAMES: &str = "hub-otel";

static WRITER: PerProcess<Writer> = PerProcess::new();

/// Output of one call, for the writer's thread.
type Output = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Writer {
    state: Mutex<WriterState>,
    changed: Condvar,
}

#[derive(Default)]
struct WriterState {
    waiting: VecDeque<(Output, usize)>,
    bytes: usize,
    queued: u64,
    written: u64,
    /// Outputs that were dropped since the last one that was written.
    dropped: u64,
    is_running: bool,
}

/// Writes `text` to stderr. Never blocks.
pub(crate) fn print(text: impl Into<Vec<u8>>) {
    let text = text.into();
    let bytes = text.len();
    submit(bytes, move || write(&text));
}

/// Calls `output`, which counts as `bytes` of text, on the thread of the writer. Never blocks.
pub(crate) fn submit(bytes: usize, output: impl FnOnce() + Send + 'static) {
    let writer = WRITER.get();
    let mut state = writer.lock();
    writer.start(&mut state);
    // A single output of any size is taken: the tree of a large trace.
    if state.bytes > 0 && state.bytes + bytes > MAX_BYTES {
        state.dropped += 1;
        return;
    }
    state.bytes += bytes;
    state.queued += 1;
    state.waiting.push_back((Box::new(output), bytes));
    writer.changed.notify_all();
}

/// Writes to stderr on the calling thread. Ignores errors: a closed stderr must not end the
/// program.
pub(crate) fn write(text: &[u8]) {
    let _ = std::io::stderr().lock().write_all(text);
}

/// Returns whether all output is written.
pub(crate) fn is_flushed() -> bool {
    let state = WRITER.get().lock();
    state.written == state.queued
}

/// Waits until all output of before is written, at most for `limit`.
pub(crate) fn flush(limit: Duration) {
    let writer = WRITER.get();
    let mut state = writer.lock();
    writer.start(&mut state);
    let queued = state.queued;
    if state.is_running {
        let _ = writer.changed.wait_timeout_while(state, limit, |state| state.written < queued);
    }
}

/// Returns whether the calling thread belongs to this crate: it must not block on stderr.
pub(crate) fn is_own_thread() -> bool {
    std::thread::current().name().is_some_and(|name| name.starts_with(THREAD_NAMES))
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread. If that fails, the output waits and the next call tries again.
    fn start(&'static self, state: &mut WriterState) {
        if !state.is_running {
            let thread = std::thread::Builder::new().name(format!("{THREAD_NAMES}-stderr"));
            state.is_running = thread.spawn(|| self.run()).is_ok();
        }
    }

    fn run(&self) {
        // A subscriber of the application may receive the output: it must not be exported.
        let _suppressed = Context::enter_telemetry_suppressed_scope();
        let mut state = self.lock();
        loop {
            let Some((output, bytes)) = state.waiting.pop_front() else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let dropped = std::mem::take(&mut state.dropped);
            drop(state);
            if dropped > 0 {
                let line = format!(
                    "[OpenTelemetry] stderr did not accept output: {dropped} were dropped\n"
                );
                write(line.as_bytes());
            }
            let _ = catch_unwind(AssertUnwindSafe(output));
            state = self.lock();
            // Counted until it is written: a blocked write keeps its share of the limit.
            state.bytes -= bytes;
            state.written += 1;
            self.changed.notify_all();
        }
    }
}
