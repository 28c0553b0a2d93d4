//! Fields of the `tracing` spans around an event.

use crate::gen_ai::content::is_content;
use opentelemetry::logs::AnyValue;
use std::fmt::Debug;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Names and values. A name occurs once.
pub(super) type Fields = Vec<(&'static str, AnyValue)>;

/// Prefix of the fields that are settings of the span: its name, its kind, its status.
const SETTINGS: &str = "otel.";

/// The fields of one span: at most those that its call site declares.
#[derive(Default)]
struct SpanFields(Fields);

/// Keeps the fields of a new span.
pub(super) fn store<S>(attributes: &Attributes<'_>, id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut fields = SpanFields::default();
    attributes.record(&mut fields);
    if !fields.0.is_empty()
        && let Some(span) = context.span(id)
    {
        span.extensions_mut().replace(fields);
    }
}

/// Replaces fields of a span by later values.
pub(super) fn record<S>(values: &Record<'_>, id: &Id, context: &Context<'_, S>)
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let Some(span) = context.span(id) else { return };
    // The values' formatting is code of the application: not called while locked.
    let mut later = SpanFields::default();
    values.record(&mut later);
    let mut extensions = span.extensions_mut();
    match extensions.get_mut::<SpanFields>() {
        Some(fields) => later.0.into_iter().for_each(|(name, value)| fields.set(name, value)),
        None => {
            extensions.replace(later);
        }
    }
}

/// Returns the fields of the spans around `event`. Those of an inner span replace those of an outer
/// one.
pub(super) fn around<S>(event: &Event<'_>, context: &Context<'_, S>) -> Fields
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let mut fields = SpanFields::default();
    for span in context.event_scope(event).into_iter().flatten() {
        if let Some(SpanFields(outer)) = span.extensions().get::<SpanFields>() {
            for (name, value) in outer {
                if !fields.contains(name) {
                    fields.0.push((name, value.clone()));
                }
            }
        }
    }
    fields.0
}

impl SpanFields {
    fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(existing, _)| *existing == name)
    }

    fn set(&mut self, name: &'static str, value: AnyValue) {
        // The content of a call is on its span only.
        if name.starts_with(SETTINGS) || is_content(name) {
            return;
        }
        match self.0.iter_mut().find(|(existing, _)| *existing == name) {
            Some((_, existing)) => *existing = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets an integer, or its text if it exceeds 64 bits.
    fn set_integer<T: TryInto<i64> + ToString + Copy>(&mut self, field: &Field, value: T) {
        let value = match value.try_into() {
            Ok(value) => AnyValue::Int(value),
            Err(_) => value.to_string().into(),
        };
        self.set(field.name(), value);
    }
}

impl Visit for SpanFields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set_integer(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.set_integer(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set_integer(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned().into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field.name(), format!("{value:?}").into());
    }
}
