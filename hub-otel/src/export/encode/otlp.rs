//! Parts of OTLP requests that spans and log records have in common: resource, scopes, attributes.

use crate::export::encode::is_text;
use crate::export::encode::protobuf::{MessageStart, ProtobufWriter};
use crate::telemetry::redaction::{DenyList, REDACTED};
use crate::unit::span_facts::{AttributeRef, ValueRef};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use rustc_hash::FxHashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// A scope and its items.
pub(super) type ScopeGroup<'a, T> = (&'a InstrumentationScope, Vec<&'a T>);

/// Groups items by their scope, in the order of the first item of each.
pub(super) fn group_by_scope<'a, T>(
    items: &'a [T],
    scope_of: impl Fn(&'a T) -> &'a InstrumentationScope,
) -> Vec<ScopeGroup<'a, T>> {
    let mut groups: Vec<ScopeGroup<'a, T>> = Vec::new();
    for item in items {
        let scope = scope_of(item);
        match groups.iter_mut().find(|(group, _)| *group == scope) {
            Some((_, group)) => group.push(item),
            None => groups.push((scope, vec![item])),
        }
    }
    groups
}

/// Returns the nanoseconds since 1970, zero for an earlier time.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The deny-list with its results for the keys of one batch, which are few and repeat.
struct KeyRedaction<'a> {
    deny: &'a DenyList,
    verdicts: FxHashMap<&'a str, bool>,
}

impl<'a> KeyRedaction<'a> {
    fn redacts(&mut self, key: &'a str) -> bool {
        *self.verdicts.entry(key).or_insert_with(|| self.deny.redacts(key))
    }
}

/// A writer of one request.
pub(super) struct OtlpWriter<'a> {
    pub(super) writer: ProtobufWriter,
    redaction: KeyRedaction<'a>,
}

impl<'a> OtlpWriter<'a> {
    pub(super) fn with_capacity(capacity: usize, deny: &'a DenyList) -> Self {
        let redaction = KeyRedaction { deny, verdicts: FxHashMap::default() };
        Self { writer: ProtobufWriter::with_capacity(capacity), redaction }
    }

    /// Begins the message of the resource, in the only field of a request. The scopes follow.
    pub(super) fn begin_resource(&mut self, resource: &Resource) -> MessageStart {
        let start = self.writer.begin_message(1);
        let message = self.writer.begin_message(1);
        for (key, value) in resource {
            let attribute = self.writer.begin_message(1);
            self.key_value(key.as_str(), value);
            self.writer.end_message(attribute);
        }
        self.writer.end_message(message);
        start
    }

    pub(super) fn end_resource(&mut self, start: MessageStart, resource: &Resource) {
        self.writer.string(3, resource.schema_url().unwrap_or_default());
        self.writer.end_message(start);
    }

    /// Begins the message of a scope. Its items follow, as fields with the number 2.
    pub(super) fn begin_scope(&mut self, scope: &InstrumentationScope) -> MessageStart {
        let start = self.writer.begin_message(2);
        let message = self.writer.begin_message(1);
        self.writer.string(1, scope.name());
        self.writer.string(2, scope.version().unwrap_or_default());
        for attribute in scope.attributes() {
            let message = self.writer.begin_message(3);
            self.key_value(attribute.key.as_str(), &attribute.value);
            self.writer.end_message(message);
        }
        self.writer.end_message(message);
        start
    }

    pub(super) fn end_scope(&mut self, start: MessageStart, scope: &InstrumentationScope) {
        self.writer.string(3, scope.schema_url().unwrap_or_default());
        self.writer.end_message(start);
    }

    /// Writes the attributes as fields with the number `field`.
    pub(super) fn attributes(&mut self, field: u32, attributes: &'a [KeyValue]) {
        attributes.iter().for_each(|attribute| self.attribute(field, attribute.into()));
    }

    /// Writes an attribute as a field with the number `field`. A secret value is redacted.
    pub(super) fn attribute(&mut self, field: u32, attribute: AttributeRef<'a>) {
        let is_text = match attribute.value {
            ValueRef::Text(_) => true,
            ValueRef::Integer(_) | ValueRef::Bool(_) => false,
            ValueRef::Value(value) => is_text(value),
        };
        self.redacted_attribute(field, attribute.key, is_text, |otlp| match attribute.value {
            ValueRef::Text(text) => otlp.writer.required_string(1, text),
            ValueRef::Integer(value) => otlp.writer.required_int64(3, value),
            ValueRef::Bool(value) => otlp.writer.required_int64(2, i64::from(value)),
            ValueRef::Value(value) => otlp.value(value),
        });
    }

    /// Writes an attribute whose value `write` writes, unless it is a text and secret.
    pub(super) fn redacted_attribute(
        &mut self,
        field: u32,
        key: &'a str,
        is_text: bool,
        write: impl FnOnce(&mut Self),
    ) {
        let message = self.writer.begin_message(field);
        self.writer.string(1, key);
        let value = self.writer.begin_message(2);
        if is_text && self.redaction.redacts(key) {
            self.writer.required_string(1, REDACTED);
        } else {
            write(self);
        }
        self.writer.end_message(value);
        self.writer.end_message(message);
    }

    fn key_value(&mut self, key: &str, value: &Value) {
        self.writer.string(1, key);
        let message = self.writer.begin_message(2);
        self.value(value);
        self.writer.end_message(message);
    }

    /// Writes the member of an `AnyValue`.
    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.writer.required_string(1, text.as_str()),
            Value::Bool(value) => self.writer.required_int64(2, i64::from(*value)),
            Value::I64(value) => self.writer.required_int64(3, *value),
            Value::F64(value) => self.writer.required_double(4, *value),
            Value::Array(array) => {
                let message = self.writer.begin_message(5);
                self.array(array);
                self.writer.end_message(message);
            }
            // `Value` is non-exhaustive: a new kind is exported as an empty value.
            _ => {}
        }
    }

    fn array(&mut self, array: &Array) {
        match array {
            Array::Bool(values) => {
                self.elements(values, |writer, value| writer.required_int64(2, i64::from(*value)));
            }
            Array::I64(values) => {
                self.elements(values, |writer, value| writer.required_int64(3, *value));
            }
            Array::F64(values) => {
                self.elements(values, |writer, value| writer.required_double(4, *value));
            }
            Array::String(values) => self.elements(values, |writer, value: &StringValue| {
                writer.required_string(1, value.as_str());
            }),
            _ => {}
        }
    }

    fn elements<T>(&mut self, values: &[T], write: impl Fn(&mut ProtobufWriter, &T)) {
        for value in values {
            let element = self.writer.begin_message(1);
            write(&mut self.writer, value);
            self.writer.end_message(element);
        }
    }
}
