//! Propagators of the application, beside the W3C headers.

use crate::contain::contain;
use crate::instance;
use crate::propagation::carriers::{Extractor, Injector, OtelExtractor, OtelInjector};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::trace::TraceContextExt;
use std::sync::Arc;

/// A propagator that several places share.
pub(crate) type SharedPropagator = Arc<dyn TextMapPropagator + Send + Sync>;

/// The propagators that the builder was given. A panic in one leaves its headers out.
#[derive(Clone, Default)]
pub(crate) struct CustomPropagators(Arc<[Contained]>);

impl CustomPropagators {
    pub(crate) fn new(propagators: Vec<SharedPropagator>) -> Self {
        Self(propagators.into_iter().map(Contained).collect())
    }

    /// Returns the propagators of the telemetry that `context` records into.
    pub(crate) fn of(context: &Context) -> Self {
        if !instance::in_use() {
            return Self::default();
        }
        instance::find(context).map_or_else(Self::default, |instance| instance.propagators.clone())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the headers of each propagator.
    pub(crate) fn inject(&self, context: &Context, carrier: &mut dyn Injector) {
        for propagator in self.0.iter() {
            propagator.inject_context(context, &mut OtelInjector(carrier));
        }
    }

    /// Returns `context` with everything that the propagators read.
    pub(crate) fn extract(&self, context: Context, carrier: &dyn Extractor) -> Context {
        if self.is_empty() {
            return context;
        }
        let carrier = OtelExtractor::new(carrier);
        let propagators = self.0.iter();
        propagators.fold(context, |context, propagator| {
            propagator.extract_with_context(&context, &carrier)
        })
    }

    /// Returns `context` with the caller's span that the propagators read, and nothing else of the
    /// caller.
    pub(crate) fn extract_span(&self, context: Context, carrier: &dyn Extractor) -> Context {
        if self.is_empty() {
            return context;
        }
        let extracted = self.extract(Context::new(), carrier);
        let span = extracted.span().span_context().clone();
        if span.is_valid() { context.with_remote_span_context(span) } else { context }
    }

    /// Returns the names of the headers.
    pub(crate) fn fields(&self) -> Vec<String> {
        self.0.iter().flat_map(TextMapPropagator::fields).map(str::to_owned).collect()
    }

    /// Returns the propagators for OpenTelemetry's global one.
    pub(crate) fn boxed(&self) -> impl Iterator<Item = Box<dyn TextMapPropagator + Send + Sync>> {
        let propagators = self.0.iter().cloned();
        propagators
            .map(|propagator| Box::new(propagator) as Box<dyn TextMapPropagator + Send + Sync>)
    }
}

/// A propagator whose panics are contained.
#[derive(Debug, Clone)]
struct Contained(SharedPropagator);

impl TextMapPropagator for Contained {
    fn inject_context(
        &self,
        context: &Context,
        injector: &mut dyn opentelemetry::propagation::Injector,
    ) {
        contain(|| self.0.inject_context(context, injector));
    }

    fn extract_with_context(
        &self,
        context: &Context,
        extractor: &dyn opentelemetry::propagation::Extractor,
    ) -> Context {
        contain(|| self.0.extract_with_context(context, extractor))
            .unwrap_or_else(|| context.clone())
    }

    fn fields(&self) -> FieldIter<'_> {
        contain(|| self.0.fields()).unwrap_or_else(|| FieldIter::new(&[]))
    }
}
