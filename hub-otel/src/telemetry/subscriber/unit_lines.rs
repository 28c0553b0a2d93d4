//! The log records of units under the subscriber of this library: a line on stderr, formatted by
//! the thread that writes it, and a record in the queue of log records.

use crate::config::Config;
use crate::config::sampler::ValueLimit;
use crate::export::limits::MAX_VALUE_BYTES;
use crate::export::pipeline::Pipeline;
use crate::export::queue::Queue;
use crate::export::queued_log::{LogContent, QueuedLog};
use crate::export::stderr;
use crate::semconv::SCOPE;
use crate::telemetry::redaction::{DenyList, REDACTED};
use crate::telemetry::subscriber::redacting_format::Escaped;
use crate::unit::unit_event::{UnitEvent, UnitEventSink};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Level, Metadata, dispatcher};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// Estimated size of a line without its values.
const LINE_BYTES: usize = 160;

/// The sink of one pipeline.
pub(super) struct UnitLines {
    /// Most verbose level that RUST_LOG enables.
    level: LevelFilter,
    is_own: fn(&Dispatch) -> bool,
    is_unit: fn(&Metadata<'_>) -> bool,
    deny: Arc<DenyList>,
    /// `None` if no log record is exported.
    records: Option<Arc<Queue<QueuedLog>>>,
    /// Limits of a record. The subscriber gets the events beyond them.
    max_bytes: usize,
    max_fields: usize,
}

impl UnitLines {
    /// Creates the sink of `pipeline`. `is_own` recognises the subscriber of this library, and
    /// `is_unit` the call site of the spans of units.
    pub(super) fn new(
        pipeline: &Pipeline,
        is_own: fn(&Dispatch) -> bool,
        is_unit: fn(&Metadata<'_>) -> bool,
    ) -> Self {
        let config = &pipeline.config;
        let (ValueLimit::Bytes(max) | ValueLimit::Characters(max)) = *config.limits.record_value;
        // A terminal gets colours. A log processor and the live view get the SDK's records.
        let is_plain = config.no_color || !std::io::stderr().is_terminal();
        let takes_events = is_plain && !has_log_processors(pipeline);
        Self {
            level: if takes_events { level_of_units(config) } else { LevelFilter::OFF },
            is_own,
            is_unit,
            deny: Arc::new(config.deny.clone()),
            records: pipeline.log_records.as_ref().map(|records| Arc::clone(&records.queue)),
            max_bytes: max.min(MAX_VALUE_BYTES),
            max_fields: *config.limits.record_attributes,
        }
    }
}

fn has_log_processors(pipeline: &Pipeline) -> bool {
    #[cfg(feature = "live")]
    if pipeline.live.is_some() {
        return true;
    }
    !pipeline.components.log_processors.is_empty()
}

/// Returns the most verbose level that RUST_LOG enables for events of units. `OFF` if it depends on
/// the current span.
fn level_of_units(config: &Config) -> LevelFilter {
    let filter: &str = &config.log_filter;
    let Some(targets) = filter.parse::<Targets>().ok().filter(|_| !filter.contains('[')) else {
        return LevelFilter::OFF;
    };
    let levels = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
    let enabled = levels.into_iter().find(|level| targets.would_enable(SCOPE, level));
    enabled.map_or(LevelFilter::OFF, LevelFilter::from_level)
}

impl UnitEventSink for UnitLines {
    /// The subscriber of this library must be the current one. Where a span of the application is
    /// current, the line and the record contain its fields.
    fn takes(&self, level: Level) -> bool {
        let takes = |dispatch: &Dispatch| (self.is_own)(dispatch) && !self.is_in_span(dispatch);
        level <= self.level && dispatcher::get_default(takes)
    }

    fn submit(&self, event: UnitEvent) -> bool {
        let texts = event.fields.iter().map(|(_, value)| value.as_str().len());
        let bytes = LINE_BYTES + texts.sum::<usize>();
        if bytes > self.max_bytes || event.fields.len() > self.max_fields {
            return false;
        }
        let event = Arc::new(event);
        if let Some(records) = &self.records {
            let content = LogContent::Unit(Arc::clone(&event));
            records.push(QueuedLog { scope: None, content }, size_of::<QueuedLog>() + bytes);
        }
        let deny = Arc::clone(&self.deny);
        stderr::submit(bytes, move || stderr::write(format_line(&event, &deny).as_bytes()));
        true
    }
}

impl UnitLines {
    /// Returns whether a span of the application is current.
    fn is_in_span(&self, dispatch: &Dispatch) -> bool {
        let current = dispatch.current_span();
        let Some(id) = current.id() else { return false };
        let span = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span(id));
        !span.is_some_and(|span| span.scope().all(|span| (self.is_unit)(span.metadata())))
    }
}

/// Formats a line as the format of `tracing-subscriber` does.
fn format_line(event: &UnitEvent, deny: &DenyList) -> String {
    let mut line = String::with_capacity(2 * LINE_BYTES);
    format_time(&mut line, event.at);
    let _ = write!(line, " {:>5} {SCOPE}: {}", event.level.as_str(), event.name);
    for (key, value) in &event.fields {
        let _ = match deny.redacts(key) {
            true => write!(line, " {key}={REDACTED}"),
            false => write!(line, " {key}={:?}", Escaped(&value.as_str())),
        };
    }
    line.push('\n');
    line
}

/// Formats a time: `2026-11-28T14:00:00.000000Z`.
fn format_time(line: &mut String, time: SystemTime) {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date_of(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let micros = since.subsec_micros();
    let _ = write!(
        line,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
    );
}

/// Returns year, month and day of a number of days since 1970, in the Gregorian calendar.
///
/// Years begin in March, so that a leap day is the last of its year:
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (400 * era + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semconv::attribute as a;
    use opentelemetry::StringValue;
    use std::io;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt;

    fn time(seconds: u64) -> String {
        let mut text = String::new();
        format_time(&mut text, UNIX_EPOCH + Duration::from_secs(seconds));
        text
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(951_782_399), "2000-02-28T23:59:59.000000Z");
        assert_eq!(time(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(time(1_709_251_199), "2024-02-29T23:59:59.000000Z");
        assert_eq!(time(4_107_542_400), "2100-03-01T00:00:00.000000Z");
        assert_eq!(time(1_796_000_461), "2026-11-30T01:01:01.000000Z");
    }

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns a line without its time.
    fn without_time(line: &str) -> &str {
        line.split_once('Z').expect("a time").1
    }

    #[test]
    fn a_line_is_that_of_the_subscriber() {
        use crate::telemetry::subscriber::redacting_format::RedactingFields;
        let hostile = "a \"quoted\" ü\nFORGED \u{1b}[2J \u{202e}x";
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = fmt::layer()
            .fmt_fields(RedactingFields(DenyList::default()))
            .with_ansi(false)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(Registry::default().with(layer), || {
            tracing::event!(name: "workflow.run.ended", target: SCOPE, Level::WARN, {
                { a::WORKFLOW_ID } = hostile,
                { a::ERROR_MESSAGE } = None::<&str>,
                { "api_key" } = "hunter2",
            }, "{}", "workflow.run.ended");
        });
        let expected = String::from_utf8(buffer.0.lock().expect("not poisoned").clone());
        let event = UnitEvent {
            at: SystemTime::now(),
            level: Level::WARN,
            name: "workflow.run.ended",
            span: None,
            fields: vec![
                (a::WORKFLOW_ID, StringValue::from(hostile)),
                ("api_key", StringValue::from("hunter2")),
            ],
        };
        let line = format_line(&event, &DenyList::default());
        assert_eq!(without_time(&line), without_time(&expected.expect("UTF-8")));
    }
}
