//! Log records that wait for their export: those of units, and the SDK's.

use crate::unit::unit_event::UnitEvent;
use opentelemetry::InstrumentationScope;
use opentelemetry::logs::Severity;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::logs::SdkLogRecord;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::Level;

/// A log record that waits for its export.
#[derive(Debug)]
pub(crate) struct QueuedLog {
    /// `None` for the scope of units.
    pub(crate) scope: Option<InstrumentationScope>,
    pub(crate) content: LogContent,
}

/// Content of a log record.
#[derive(Debug)]
pub(crate) enum LogContent {
    /// A record that needs no limit. Its values are not nested.
    Sdk(Box<SdkLogRecord>),
    /// A message of OTLP, to which the limits were applied.
    Message(Box<LogRecord>),
    Unit(Arc<UnitEvent>),
}

impl QueuedLog {
    pub(crate) fn scope<'a>(
        &'a self,
        unit_scope: &'a InstrumentationScope,
    ) -> &'a InstrumentationScope {
        self.scope.as_ref().unwrap_or(unit_scope)
    }
}

impl LogContent {
    /// Converts into a message of OTLP, for http/json.
    pub(crate) fn into_message(self) -> LogRecord {
        match self {
            Self::Sdk(record) => (&*record).into(),
            Self::Message(record) => *record,
            Self::Unit(event) => message_of(&event),
        }
    }
}

fn message_of(event: &UnitEvent) -> LogRecord {
    let text =
        |text: &str| Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) });
    let attributes = event.fields.iter().map(|(key, value)| KeyValue {
        key: (*key).to_owned(),
        value: text(value.as_str()),
        ..KeyValue::default()
    });
    let span = event.span.as_ref();
    LogRecord {
        observed_time_unix_nano: unix_nanos(event.at),
        severity_number: severity(event.level) as i32,
        severity_text: event.level.as_str().to_owned(),
        body: text(event.name),
        attributes: attributes.collect(),
        flags: span.map_or(0, |span| u32::from(span.trace_flags().to_u8())),
        trace_id: span.map_or_else(Vec::new, |span| span.trace_id().to_bytes().to_vec()),
        span_id: span.map_or_else(Vec::new, |span| span.span_id().to_bytes().to_vec()),
        event_name: event.name.to_owned(),
        ..LogRecord::default()
    }
}

fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the severity of a level, as the bridge from `tracing` maps it.
pub(crate) fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        Level::DEBUG => Severity::Debug,
        Level::TRACE => Severity::Trace,
    }
}
