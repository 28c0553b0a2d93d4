//! Log processors of the application, and the queues of its log exporters.

use crate::export::components::exporters::LogItem;
use crate::export::components::named::Named;
use crate::export::components::processor_chain::ProcessorChain;
use crate::export::diagnostics::is_own_event;
use crate::export::queue::Queue;
use crate::telemetry::redaction::{DenyList, REDACTED};
use opentelemetry::InstrumentationScope;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger, LoggerProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLogRecord, SdkLogger, SdkLoggerProvider};
use std::sync::Arc;
use std::time::Duration;

/// Estimated size of a record without its texts.
const RECORD_BYTES: usize = 256;
/// Nesting limit of structured values. What is nested deeper is redacted as a whole: reading it
/// takes stack of the application's thread.
const MAX_DEPTH: usize = 16;

/// The processors, called in the order of the builder's calls, and the queues.
#[derive(Default)]
pub(crate) struct LogProcessors {
    processors: ProcessorChain<dyn LogProcessor>,
    /// One per exporter.
    pub(crate) queues: Vec<Arc<Queue<LogItem>>>,
    deny: DenyList,
}

impl LogProcessors {
    pub(crate) fn new(
        processors: Vec<Named<Box<dyn LogProcessor>>>,
        queues: Vec<Arc<Queue<LogItem>>>,
        resource: &Resource,
        deny: DenyList,
    ) -> Self {
        let processors =
            ProcessorChain::new(processors, |processor| processor.set_resource(resource));
        Self { processors, queues, deny }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.processors.is_empty() && self.queues.is_empty()
    }

    /// Shuts the processors down, the first time that it is called. Blocks while they do.
    pub(crate) fn shut_down(&self, timeout: Duration) {
        self.processors.shut_down(|processor| processor.shutdown_with_timeout(timeout));
    }

    /// Requests the export of what the processors hold. Blocks while they do.
    ///
    /// # Errors
    /// The first error of a processor.
    pub(crate) fn force_flush(&self) -> OTelSdkResult {
        self.processors.force_flush(|processor| processor.force_flush())
    }

    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if let Some(redacted) = redact(record, &self.deny) {
            *record = redacted;
        }
        for processor in self.processors.active() {
            processor.call(|processor| processor.emit(record, scope));
        }
        for queue in &self.queues {
            queue.push((record.clone(), scope.clone()), size(record));
        }
    }
}

impl std::fmt::Debug for LogProcessors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.processors.fmt(f)
    }
}

/// The first processor of the logger provider. Later ones get the records as it leaves them.
#[derive(Debug)]
pub(crate) struct CustomLogProcessor(pub(crate) Arc<LogProcessors>);

impl LogProcessor for CustomLogProcessor {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if !is_own_event(record) {
            self.0.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Returns a copy of `record` without secret values, if it has any.
fn redact(record: &SdkLogRecord, deny: &DenyList) -> Option<SdkLogRecord> {
    let has_secret = record
        .attributes_iter()
        .any(|(key, value)| is_secret(key.as_str(), value, deny, MAX_DEPTH))
        || record.body().is_some_and(|body| contains_secret(body, deny, MAX_DEPTH));
    if !has_secret {
        return None;
    }
    // The attributes of a record can be added to, not changed.
    let logger: SdkLogger = SdkLoggerProvider::builder().build().logger("");
    let mut copy = logger.create_log_record();
    if let Some(name) = record.event_name() {
        copy.set_event_name(name);
    }
    if let Some(target) = record.target() {
        copy.set_target(target.clone());
    }
    if let Some(at) = record.timestamp() {
        copy.set_timestamp(at);
    }
    if let Some(at) = record.observed_timestamp() {
        copy.set_observed_timestamp(at);
    }
    if let Some(trace) = record.trace_context() {
        copy.set_trace_context(trace.trace_id, trace.span_id, trace.trace_flags);
    }
    if let Some(severity) = record.severity_text() {
        copy.set_severity_text(severity);
    }
    if let Some(severity) = record.severity_number() {
        copy.set_severity_number(severity);
    }
    if let Some(body) = record.body() {
        copy.set_body(redact_inside(body, deny, MAX_DEPTH));
    }
    for (key, value) in record.attributes_iter() {
        copy.add_attribute(key.clone(), redact_under(key.as_str(), value, deny, MAX_DEPTH));
    }
    Some(copy)
}

/// Returns whether a value holds text, which a secret is. One that is nested too deeply counts as
/// text.
fn is_text(value: &AnyValue, depth: usize) -> bool {
    match value {
        AnyValue::Int(_) | AnyValue::Double(_) | AnyValue::Boolean(_) => false,
        AnyValue::ListAny(values) if depth > 0 => {
            values.iter().any(|value| is_text(value, depth - 1))
        }
        _ => true,
    }
}

fn is_secret(key: &str, value: &AnyValue, deny: &DenyList, depth: usize) -> bool {
    (is_text(value, depth) && deny.redacts(key)) || contains_secret(value, deny, depth)
}

fn contains_secret(value: &AnyValue, deny: &DenyList, depth: usize) -> bool {
    match value {
        AnyValue::ListAny(_) | AnyValue::Map(_) if depth == 0 => true,
        AnyValue::ListAny(values) => {
            values.iter().any(|value| contains_secret(value, deny, depth - 1))
        }
        AnyValue::Map(map) => {
            map.iter().any(|(key, value)| is_secret(key.as_str(), value, deny, depth - 1))
        }
        _ => false,
    }
}

fn redact_under(key: &str, value: &AnyValue, deny: &DenyList, depth: usize) -> AnyValue {
    if is_text(value, depth) && deny.redacts(key) {
        AnyValue::from(REDACTED)
    } else {
        redact_inside(value, deny, depth)
    }
}

fn redact_inside(value: &AnyValue, deny: &DenyList, depth: usize) -> AnyValue {
    match value {
        AnyValue::ListAny(_) | AnyValue::Map(_) if depth == 0 => AnyValue::from(REDACTED),
        AnyValue::ListAny(values) => AnyValue::ListAny(Box::new(
            values.iter().map(|value| redact_inside(value, deny, depth - 1)).collect(),
        )),
        AnyValue::Map(map) => AnyValue::Map(Box::new(
            map.iter()
                .map(|(key, value)| {
                    (key.clone(), redact_under(key.as_str(), value, deny, depth - 1))
                })
                .collect(),
        )),
        other => other.clone(),
    }
}

fn size(record: &SdkLogRecord) -> usize {
    let attributes = record
        .attributes_iter()
        .map(|(key, value)| key.as_str().len() + size_of_value(value, MAX_DEPTH));
    let body = record.body().map_or(0, |body| size_of_value(body, MAX_DEPTH));
    RECORD_BYTES + body + attributes.sum::<usize>()
}

/// A processor of the application may have added what is nested deeper: it is not counted.
fn size_of_value(value: &AnyValue, depth: usize) -> usize {
    size_of::<AnyValue>()
        + match value {
            AnyValue::String(text) => text.as_str().len(),
            AnyValue::Bytes(bytes) => bytes.len(),
            AnyValue::ListAny(_) | AnyValue::Map(_) if depth == 0 => 0,
            AnyValue::ListAny(values) => {
                values.iter().map(|value| size_of_value(value, depth - 1)).sum()
            }
            AnyValue::Map(map) => map
                .iter()
                .map(|(key, value)| key.as_str().len() + size_of_value(value, depth - 1))
                .sum(),
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A list that contains a list, and so on, with `innermost` inside.
    fn nested(depth: usize, innermost: AnyValue) -> AnyValue {
        (0..depth).fold(innermost, |inner, _| AnyValue::ListAny(Box::new(vec![inner])))
    }

    fn depth(value: &AnyValue) -> usize {
        match value {
            AnyValue::ListAny(values) => 1 + values.first().map_or(0, depth),
            _ => 0,
        }
    }

    #[test]
    fn values_are_redacted_and_what_is_nested_too_deeply_is_redacted_as_a_whole() {
        let deny = DenyList::default();
        let secret = HashMap::from([("password".into(), AnyValue::from("hunter2"))]);
        let shallow = nested(3, AnyValue::Map(Box::new(secret)));
        assert!(contains_secret(&shallow, &deny, MAX_DEPTH));
        let redacted = redact_inside(&shallow, &deny, MAX_DEPTH);
        assert!(!format!("{redacted:?}").contains("hunter2"), "{redacted:?}");

        let deep = nested(1_000, AnyValue::from(1));
        assert!(contains_secret(&deep, &deny, MAX_DEPTH));
        let redacted = redact_under("list", &deep, &deny, MAX_DEPTH);
        assert_eq!(depth(&redacted), MAX_DEPTH);
        assert!(format!("{redacted:?}").contains(REDACTED), "{redacted:?}");
        assert!(size_of_value(&deep, MAX_DEPTH) < (MAX_DEPTH + 2) * size_of::<AnyValue>());
    }

    #[test]
    fn numbers_within_the_depth_are_no_secret() {
        let numbers = nested(MAX_DEPTH, AnyValue::from(1));
        assert!(!is_secret("token", &numbers, &DenyList::default(), MAX_DEPTH));
    }
}
