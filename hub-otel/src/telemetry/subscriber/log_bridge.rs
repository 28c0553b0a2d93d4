//! The layer that exports events as log records: the bridge of OpenTelemetry, with the fields of
//! the enclosing `tracing` spans and the metadata of the `log` crate.

use crate::export::pipeline::Pipeline;
use crate::gen_ai::content::ContentPolicy;
use crate::semconv::attribute as a;
use crate::telemetry::subscriber::span_fields;
use crate::telemetry::subscriber::span_fields::Fields;
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{InstrumentationScope, Key, SpanId, TraceFlags, TraceId};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{SdkLogRecord, SdkLogger};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Exports events by one provider. `None` exports nothing.
///
/// Not the bridge's feature `experimental_span_attributes`: it appends each recorded value to those
/// of the span, without a limit, and exports keys twice.
pub(super) struct LogBridge(Option<Sink>);

/// The SDK's logger, and the consent to the content of GenAI calls.
#[derive(Clone)]
struct Sink {
    sdk: Arc<SdkLogger>,
    content: ContentPolicy,
}

impl LogBridge {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        Self(pipeline.logger_provider.as_ref().map(|provider| Sink {
            sdk: Arc::new(provider.logger("")),
            content: pipeline.instance.gen_ai.content.clone(),
        }))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogBridge {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if let Some(sink) = &self.0 {
            let fields = Mutex::new(span_fields::around(event, &context));
            let logger = FieldLogger { sink: sink.clone(), fields };
            OpenTelemetryTracingBridge::new(&logger).on_event(event, context);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        span_fields::store(attributes, id, &context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        span_fields::record(values, id, &context);
    }
}

/// The logger of one event, which adds the fields of the spans around it.
struct FieldLogger {
    sink: Sink,
    fields: Mutex<Fields>,
}

impl FieldLogger {
    fn take_fields(&self) -> Fields {
        std::mem::take(&mut *self.fields.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LoggerProvider for FieldLogger {
    type Logger = Self;

    fn logger_with_scope(&self, _: InstrumentationScope) -> Self {
        Self { sink: self.sink.clone(), fields: Mutex::new(self.take_fields()) }
    }
}

impl Logger for FieldLogger {
    type LogRecord = FieldRecord;

    fn create_log_record(&self) -> FieldRecord {
        FieldRecord {
            sdk: self.sink.sdk.create_log_record(),
            content: self.sink.content.clone(),
            fields: self.take_fields(),
            has_log_target: false,
            is_of_log_crate: false,
        }
    }

    fn emit(&self, record: FieldRecord) {
        let FieldRecord { mut sdk, fields, .. } = record;
        // After the event's own: the limit of attributes drops the last ones.
        sdk.add_attributes(fields);
        self.sink.sdk.emit(sdk);
    }

    fn event_enabled(&self, level: Severity, target: &str, name: Option<&str>) -> bool {
        self.sink.sdk.event_enabled(level, target, name)
    }
}

/// A log record with fields that its own attributes replace.
struct FieldRecord {
    sdk: SdkLogRecord,
    content: ContentPolicy,
    fields: Fields,
    has_log_target: bool,
    is_of_log_crate: bool,
}

impl FieldRecord {
    /// Sets what `tracing-log` reports as fields: the target, and the location in the source.
    /// Returns the attribute to add, if any.
    fn map_log_crate(&mut self, key: Key, value: AnyValue) -> Option<(Key, AnyValue)> {
        match (key.as_str(), value) {
            ("log.target", AnyValue::String(target)) => {
                self.sdk.set_target(target.as_str().to_owned());
                None
            }
            ("log.file", path) => Some((Key::from_static_str(a::CODE_FILE_PATH), path)),
            ("log.line", line) => Some((Key::from_static_str(a::CODE_LINE_NUMBER), line)),
            // Nearly always the target.
            ("log.module_path", _) => None,
            (_, value) => Some((key, value)),
        }
    }
}

impl LogRecord for FieldRecord {
    fn set_event_name(&mut self, name: &'static str) {
        self.is_of_log_crate = self.has_log_target && name == "log event";
        if !self.is_of_log_crate && !is_location(name) {
            self.sdk.set_event_name(name);
        }
    }

    /// Called before [`set_event_name`](Self::set_event_name).
    fn set_target<T>(&mut self, target: T)
    where
        T: Into<Cow<'static, str>>,
    {
        let target = target.into();
        self.has_log_target = target == "log";
        self.sdk.set_target(target);
    }

    fn set_timestamp(&mut self, timestamp: SystemTime) {
        self.sdk.set_timestamp(timestamp);
    }

    fn set_observed_timestamp(&mut self, timestamp: SystemTime) {
        self.sdk.set_observed_timestamp(timestamp);
    }

    fn set_severity_text(&mut self, text: &'static str) {
        self.sdk.set_severity_text(text);
    }

    fn set_severity_number(&mut self, number: Severity) {
        self.sdk.set_severity_number(number);
    }

    fn set_body(&mut self, body: AnyValue) {
        self.sdk.set_body(body);
    }

    fn add_attributes<I, K, V>(&mut self, attributes: I)
    where
        I: IntoIterator<Item = (K, V)>,
        K: Into<Key>,
        V: Into<AnyValue>,
    {
        for (key, value) in attributes {
            self.add_attribute(key, value);
        }
    }

    fn add_attribute<K, V>(&mut self, key: K, value: V)
    where
        K: Into<Key>,
        V: Into<AnyValue>,
    {
        let mut attribute = Some((key.into(), value.into()));
        if self.is_of_log_crate {
            attribute = attribute.and_then(|(key, value)| self.map_log_crate(key, value));
        }
        let admitted = attribute.and_then(|(key, value)| self.content.admit_log(key, value));
        if let Some((key, value)) = admitted {
            self.fields.retain(|(field, _)| *field != key.as_str());
            self.sdk.add_attribute(key, value);
        }
    }

    fn set_trace_context(
        &mut self,
        trace_id: TraceId,
        span_id: SpanId,
        trace_flags: Option<TraceFlags>,
    ) {
        self.sdk.set_trace_context(trace_id, span_id, trace_flags);
    }
}

/// Reports whether the name of an event is the default of `tracing`: `event <file>:<line>`, which
/// differs after each edit of the file.
fn is_location(name: &str) -> bool {
    let line = name.strip_prefix("event ").and_then(|place| place.rsplit_once(':'));
    line.is_some_and(|(_, line)| line.bytes().all(|byte| byte.is_ascii_digit()))
}
