//! Rate-limited diagnostics: events of the application's `tracing` subscriber, else lines on
//! stderr.
//!
//! A subscriber that discards the event gets none: the line is written to stderr, because a warning
//! about lost telemetry must be visible. The subscriber that `install` sets is such a one. The
//! events are never exported as log records: they would be about their own export.

use crate::export::stderr;
use crate::semconv::DIAGNOSTICS_TARGET;
use opentelemetry::Context;
use opentelemetry_sdk::logs::SdkLogRecord;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;
use tracing::Level;

/// The diagnostics of one instance, with the time of the last line per topic.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    last_logged: Mutex<HashMap<String, Instant>>,
}

/// The interval of [`Diagnostics::log_throttled`].
const THROTTLE: Duration = Duration::from_secs(60);
/// The limit of topics per instance: later ones are not logged.
const MAX_TOPICS: usize = 1_000;
/// The time that [`write_line_now`] waits for the line.
const WRITE_TIME: Duration = Duration::from_millis(100);

/// Returns whether a record is about telemetry itself: an event of an export thread, or a
/// diagnostic, whichever bridge of the application emits it. It is never exported: each export
/// would cause the next one.
pub(crate) fn is_own_event(record: &SdkLogRecord) -> bool {
    record.target().is_some_and(|target| target == DIAGNOSTICS_TARGET)
        || Context::is_current_telemetry_suppressed()
}

impl Diagnostics {
    /// Logs `message` as a warning.
    pub(crate) fn log(&self, message: &str) {
        write_line(message);
    }

    /// Logs `message` at `level`.
    pub(crate) fn log_at(&self, level: Level, message: &str) {
        submit(level, message);
    }

    /// Logs `message`, at most once a minute per topic.
    pub(crate) fn log_throttled(&self, topic: &str, message: &str) {
        let now = Instant::now();
        {
            let mut last_logged = self.last_logged.lock().unwrap_or_else(PoisonError::into_inner);
            let is_recent =
                last_logged.get(topic).is_some_and(|at| now.duration_since(*at) < THROTTLE);
            if is_recent || last_logged.len() > MAX_TOPICS {
                return;
            }
            last_logged.insert(topic.to_owned(), now);
        }
        write_line(message);
    }

    /// Logs `message` once per topic.
    pub(crate) fn log_once(&self, topic: &str, message: &str) {
        let is_first = self
            .last_logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(topic.to_owned(), Instant::now())
            .is_none();
        if is_first {
            write_line(message);
        }
    }
}

/// Logs `message` as a warning. Never blocks.
pub(crate) fn write_line(message: &str) {
    submit(Level::WARN, message);
}

/// Logs `message` as a warning and waits a moment for the line, because the program may end next.
pub(crate) fn write_line_now(message: &str) {
    write_line(message);
    flush();
}

/// Waits a moment until the lines are written.
pub(crate) fn flush() {
    stderr::flush(WRITE_TIME);
}

fn submit(level: Level, message: &str) {
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = format!("[OpenTelemetry] {line}");
    stderr::submit(line.len(), move || emit(level, line));
}

/// Gives the line to the subscriber, on the thread of the stderr writer: a subscriber may block.
fn emit(level: Level, mut line: String) {
    macro_rules! event {
        ($level:expr) => {
            if tracing::enabled!(target: DIAGNOSTICS_TARGET, $level) {
                tracing::event!(target: DIAGNOSTICS_TARGET, $level, "{line}");
                return;
            }
        };
    }
    match level {
        Level::ERROR => event!(Level::ERROR),
        Level::INFO => event!(Level::INFO),
        _ => event!(Level::WARN),
    }
    line.push('\n');
    stderr::write(line.as_bytes());
}
