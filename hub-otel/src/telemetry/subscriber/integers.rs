//! Integer fields of `tracing` spans: tracing-opentelemetry exports `u64`, `usize` and 128-bit
//! integers as text, because its visitor has no method for them.

use opentelemetry::trace::TraceContextExt;
use std::fmt::Debug;
use std::sync::OnceLock;
use tracing::dispatcher::{self, WeakDispatch};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Subscriber};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::semconv::kv;
use crate::telemetry::subscriber::span_tracer::SpanTracer;

/// Sets the integer fields of a span again, as integers, when it closes: the last value of a key is
/// exported. Placed before the layer of tracing-opentelemetry, which ends the span.
///
/// Also the mark of a subscriber that exports `tracing` spans.
#[derive(Debug)]
pub(super) struct IntegerFields {
    dispatch: OnceLock<WeakDispatch>,
    /// The tracer of the exporting layer beside it.
    tracer: SpanTracer,
}

impl IntegerFields {
    pub(super) fn new(tracer: SpanTracer) -> Self {
        Self { dispatch: OnceLock::new(), tracer }
    }

    /// Returns whether `dispatch` exports `tracing` spans.
    pub(super) fn is_in(dispatch: &Dispatch) -> bool {
        dispatch.downcast_ref::<Self>().is_some_and(|fields| fields.tracer.opens_units())
    }
}

/// The integer fields of one span: at most those that its call site declares.
#[derive(Default)]
struct Integers(Vec<(&'static str, i64)>);

impl Integers {
    fn set(&mut self, field: &Field, value: Option<i64>) {
        self.0.retain(|(name, _)| *name != field.name());
        self.0.extend(value.map(|value| (field.name(), value)));
    }
}

impl Visit for Integers {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.try_into().ok());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.set(field, value.try_into().ok());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.set(field, value.try_into().ok());
    }

    fn record_i64(&mut self, field: &Field, _: i64) {
        self.set(field, None);
    }

    fn record_f64(&mut self, field: &Field, _: f64) {
        self.set(field, None);
    }

    fn record_bool(&mut self, field: &Field, _: bool) {
        self.set(field, None);
    }

    fn record_str(&mut self, field: &Field, _: &str) {
        self.set(field, None);
    }

    fn record_debug(&mut self, field: &Field, _: &dyn Debug) {
        self.set(field, None);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for IntegerFields {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut integers = Integers::default();
        attributes.record(&mut integers);
        if !integers.0.is_empty()
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().replace(integers);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // The values' formatting is code of the application: not called while locked.
        let mut integers = span.extensions_mut().remove::<Integers>().unwrap_or_default();
        values.record(&mut integers);
        if !integers.0.is_empty() {
            span.extensions_mut().replace(integers);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let integers =
            context.span(&id).and_then(|span| span.extensions_mut().remove::<Integers>());
        let Some(Integers(integers)) = integers else { return };
        let set = |dispatch: &Dispatch| {
            if let Some(context) = get_otel_context(&id, dispatch) {
                let attributes = integers.iter().map(|&(name, value)| kv(name, value));
                context.span().set_attributes(attributes);
            }
        };
        match self.dispatch.get().and_then(WeakDispatch::upgrade) {
            Some(dispatch) => set(&dispatch),
            None => dispatcher::get_default(set),
        }
    }
}
