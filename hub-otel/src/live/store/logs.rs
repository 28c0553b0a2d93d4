//! Log records as lines of text.

use super::trace::StoredLog;
use super::{MAX_LOGS, Store};
use crate::export::encode::{ScopedLogRecord, redact_log_record};
use crate::gen_ai::content::is_content;
use crate::live::row::cut;
use crate::live::wire_text::to_text;
use crate::semconv::attribute as a;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::value::to_raw_value;
use std::fmt::Write as _;

/// Longest line in characters.
const MAX_LINE: usize = 4_096;

impl Store {
    /// Stores the line of a record that belongs to a stored trace.
    pub(super) fn log(&mut self, mut scoped: ScopedLogRecord) {
        redact_log_record(&mut scoped.record, &self.deny);
        let record = &scoped.record;
        let Some((trace_id, span)) = ids(record) else { return };
        let version = self.next_version();
        let is_full = self.bytes() >= self.limits.bytes;
        let Some(trace) = self.traces.get_mut(&trace_id) else { return };
        if is_full || trace.logs.len() >= MAX_LOGS {
            trace.dropped += 1;
            self.dropped.no_space += 1;
            return;
        }
        let content: Vec<_> = record.attributes.iter().filter(|it| is_content(&it.key)).collect();
        let content = Some(content).filter(|content| !content.is_empty());
        let time = record.time_unix_nano.max(record.observed_time_unix_nano) / 1_000;
        let log = StoredLog {
            time,
            severity: record.severity_number,
            text: line(record).into(),
            target: cut(scoped.scope.name(), 120).into(),
            span: span.to_string(),
            content: content.and_then(|content| to_raw_value(&content).ok()),
            version,
        };
        let bytes = log.bytes();
        trace.logs.push(log);
        trace.bytes += bytes;
        self.trace_bytes += bytes;
    }
}

fn ids(record: &LogRecord) -> Option<(TraceId, SpanId)> {
    let trace = TraceId::from_bytes(record.trace_id.as_slice().try_into().ok()?);
    let span = SpanId::from_bytes(record.span_id.as_slice().try_into().ok()?);
    Some((trace, span))
}

/// Returns the body, else the name of the event, and the attributes, as `body key=value …`.
fn line(record: &LogRecord) -> String {
    let body = record.body.as_ref().map(to_text).filter(|body| !body.is_empty());
    let mut line = body.unwrap_or_else(|| record.event_name.clone());
    for KeyValue { key, value, .. } in &record.attributes {
        // The run is the one of the page, the place in the code is of little use there, and
        // messages are shown with their span.
        let is_omitted = key == a::WORKFLOW_RUN_ID || key == a::WORKFLOW_ID || is_content(key);
        if is_omitted || key.starts_with("code.") {
            continue;
        }
        let value = value.as_ref().map(to_text).unwrap_or_default();
        let _ = write!(line, " {key}={value}");
        if line.len() > MAX_LINE * 4 {
            break;
        }
    }
    cut(line.trim_start(), MAX_LINE)
}
