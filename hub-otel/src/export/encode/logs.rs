//! The OTLP encoding of log records, written directly from the SDK's data and from the events of
//! units.
//!
//! <https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/logs/v1/logs.proto>

use crate::export::encode::otlp::{OtlpWriter, group_by_scope, unix_nanos};
use crate::export::queued_log::{LogContent, QueuedLog, severity};
use crate::semconv::library_scope;
use crate::telemetry::redaction::DenyList;
use crate::unit::unit_event::UnitEvent;
use opentelemetry::logs::{AnyValue, Severity};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLogRecord;

/// Estimated encoded size of a log record, for the first allocation.
const ESTIMATED_RECORD_BYTES: usize = 256;

/// Encodes an `ExportLogsServiceRequest`. Records are grouped by their scope, in the order of the
/// first record of each. Messages of OTLP are written as they are: their secrets are redacted
/// before.
pub(super) fn encode(records: &[QueuedLog], resource: &Resource, deny: &DenyList) -> Vec<u8> {
    let unit_scope = library_scope();
    let mut otlp = OtlpWriter::with_capacity(records.len() * ESTIMATED_RECORD_BYTES, deny);
    let start = otlp.begin_resource(resource);
    for (scope, records) in group_by_scope(records, |record| record.scope(&unit_scope)) {
        let start = otlp.begin_scope(scope);
        for record in records {
            match &record.content {
                LogContent::Sdk(record) => otlp.sdk_record(record),
                LogContent::Message(record) => otlp.writer.message(2, &**record),
                LogContent::Unit(event) => otlp.unit_event(event),
            }
        }
        otlp.end_scope(start, scope);
    }
    otlp.end_resource(start, resource);
    otlp.writer.into_bytes()
}

impl<'a> OtlpWriter<'a> {
    /// Writes a record whose values are not nested.
    fn sdk_record(&mut self, record: &'a SdkLogRecord) {
        let message = self.writer.begin_message(2);
        self.writer.fixed64(1, record.timestamp().map_or(0, unix_nanos));
        self.writer.uint32(2, record.severity_number().map_or(0, severity_number));
        self.writer.string(3, record.severity_text().unwrap_or_default());
        if let Some(body) = record.body() {
            let message = self.writer.begin_message(5);
            self.log_value(body);
            self.writer.end_message(message);
        }
        for (key, value) in record.attributes_iter() {
            let is_text = matches!(value, AnyValue::String(_) | AnyValue::Bytes(_));
            self.redacted_attribute(6, key.as_str(), is_text, |otlp| otlp.log_value(value));
        }
        if let Some(span) = record.trace_context() {
            let flags = span.trace_flags.map_or(0, |flags| u32::from(flags.to_u8()));
            self.writer.fixed32(8, flags);
            self.writer.byte_array(9, span.trace_id.to_bytes());
            self.writer.byte_array(10, span.span_id.to_bytes());
        }
        self.writer.fixed64(11, record.observed_timestamp().map_or(0, unix_nanos));
        self.writer.string(12, record.event_name().unwrap_or_default());
        self.writer.end_message(message);
    }

    fn log_value(&mut self, value: &AnyValue) {
        match value {
            AnyValue::String(text) => self.writer.required_string(1, text.as_str()),
            AnyValue::Boolean(value) => self.writer.required_int64(2, i64::from(*value)),
            AnyValue::Int(value) => self.writer.required_int64(3, *value),
            AnyValue::Double(value) => self.writer.required_double(4, *value),
            AnyValue::Bytes(bytes) => self.writer.required_bytes(7, bytes),
            // Nested values are messages. `AnyValue` is non-exhaustive.
            _ => {}
        }
    }

    fn unit_event(&mut self, event: &'a UnitEvent) {
        let message = self.writer.begin_message(2);
        self.writer.uint32(2, severity_number(severity(event.level)));
        self.writer.string(3, event.level.as_str());
        let body = self.writer.begin_message(5);
        self.writer.required_string(1, event.name);
        self.writer.end_message(body);
        for (key, value) in &event.fields {
            let value = value.as_str();
            self.redacted_attribute(6, key, true, |otlp| otlp.writer.required_string(1, value));
        }
        if let Some(span) = &event.span {
            self.writer.fixed32(8, u32::from(span.trace_flags().to_u8()));
            self.writer.byte_array(9, span.trace_id().to_bytes());
            self.writer.byte_array(10, span.span_id().to_bytes());
        }
        self.writer.fixed64(11, unix_nanos(event.at));
        self.writer.string(12, event.name);
        self.writer.end_message(message);
    }
}

/// Returns the number of a severity in OTLP, which is also its number here.
fn severity_number(severity: Severity) -> u32 {
    severity as u32
}

#[cfg(test)]
mod tests;
