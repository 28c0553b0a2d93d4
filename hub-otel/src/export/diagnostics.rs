//! Rate-limited diagnostics on stderr.
//!
//! Written directly and not as `tracing` events: they must be visible without a subscriber and must
//! not be exported as log records.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// The diagnostics of one instance, with the time of the last line per topic.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    last_logged: Mutex<HashMap<String, Instant>>,
}

/// The interval of [`Diagnostics::log_throttled`].
const THROTTLE: Duration = Duration::from_secs(60);
/// The limit of topics per instance: later ones are not logged.
const MAX_TOPICS: usize = 1_000;

impl Diagnostics {
    /// Logs `message`.
    pub(crate) fn log(&self, message: &str) {
        write_line(message);
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

/// Writes one line to stderr. Ignores errors: a closed stderr must not end the program.
pub(crate) fn write_line(message: &str) {
    let line: String = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(std::io::stderr().lock(), "[OpenTelemetry] {line}");
}
