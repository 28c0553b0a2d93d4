//! The library's own words, on stderr: few, each said once.
//!
//! Not through `tracing`: they must show where no subscriber is set, and must never come back as telemetry.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// Says things about one instance, and remembers what it said.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    said: Mutex<HashMap<String, Instant>>,
}

/// How long a complaint is not repeated.
const QUIET: Duration = Duration::from_secs(60);

impl Voice {
    /// Says `text`.
    pub(crate) fn say(&self, text: &str) {
        say(text);
    }

    /// Says `text`, unless the same matter came up less than a minute ago.
    pub(crate) fn complain(&self, matter: &str, text: &str) {
        let now = Instant::now();
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.get(matter).is_some_and(|at| now.duration_since(*at) < QUIET)
                || said.len() > 1_000
            {
                return;
            }
            said.insert(matter.to_owned(), now);
        }
        say(text);
    }

    /// Says `text` the first time the matter comes up.
    pub(crate) fn once(&self, matter: &str, text: &str) {
        let first = self
            .said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(matter.to_owned(), Instant::now())
            .is_none();
        if first {
            say(text);
        }
    }
}

/// One line on stderr. A stderr that is closed is no reason to panic.
pub(crate) fn say(text: &str) {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(std::io::stderr().lock(), "[OpenTelemetry] {line}");
}
