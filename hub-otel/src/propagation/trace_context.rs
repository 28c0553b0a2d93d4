//! W3C Trace Context headers.
//!
//! Without the SDK nothing is recorded, and so nothing is propagated.

use crate::propagation::carriers::{Extractor, Injector};
use opentelemetry::Context;

#[cfg(feature = "sdk")]
pub(super) use with_sdk::{extract, inject, outgoing};

#[cfg(not(feature = "sdk"))]
pub(super) fn inject(_carrier: &mut dyn Injector) {}

#[cfg(not(feature = "sdk"))]
pub(super) fn extract(context: Context, _carrier: &dyn Extractor) -> Context {
    context
}

#[cfg(not(feature = "sdk"))]
pub(super) fn outgoing() -> Context {
    Context::current()
}

#[cfg(feature = "sdk")]
mod with_sdk {
    use super::{Context, Extractor, Injector};
    use crate::propagation::carriers::OtelInjector;
    use crate::propagation::traceparent;
    use crate::unit::stack;
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

    /// Writes `traceparent` and `tracestate` of the current context.
    pub(crate) fn inject(carrier: &mut dyn Injector) {
        TraceContextPropagator::new().inject_context(&outgoing(), &mut OtelInjector(carrier));
    }

    /// Returns `context` with the span of `traceparent` and `tracestate`, if they are valid. Of
    /// several lines, `tracestate` is one list, and `traceparent` is not valid.
    pub(crate) fn extract(context: Context, carrier: &dyn Extractor) -> Context {
        let [traceparent] = carrier.get_all("traceparent")[..] else { return context };
        let tracestate = || {
            let lines = carrier.get_all("tracestate");
            (!lines.is_empty()).then(|| lines.join(","))
        };
        match traceparent::parse(traceparent, tracestate) {
            Some(caller) => context.with_remote_span_context(caller),
            None => context,
        }
    }

    /// Returns the current context as the next process must see it.
    ///
    /// A unit that is not sampled has no span, and so no span context to send. Without
    /// `traceparent` the next process would start a trace of its own: it is sent a random one that
    /// is not sampled.
    pub(crate) fn outgoing() -> Context {
        let current = Context::current();
        if current.span().span_context().is_valid() || !stack::is_unsampled(&current) {
            return current;
        }
        let ids = RandomIdGenerator::default();
        let unsampled = SpanContext::new(
            ids.new_trace_id(),
            ids.new_span_id(),
            TraceFlags::NOT_SAMPLED,
            false,
            TraceState::NONE,
        );
        current.with_remote_span_context(unsampled)
    }
}
