//! Writes the current context to a carrier, and reads one from it.

use crate::instance;
use crate::propagation::carriers::{Extractor, Injector};
use crate::propagation::custom::CustomPropagators;
use crate::propagation::remote_context::RemoteContext;
use crate::propagation::{baggage, propagators, trace_context};
use opentelemetry::Context;

/// Writes `traceparent` and `tracestate` of the current context to `carrier`.
///
/// Without telemetry nothing is written. Baggage is never written: see [`inject_run`].
///
/// ```
/// let mut headers = std::collections::HashMap::new();
/// hub_otel::propagation::inject(&mut headers);
/// ```
pub fn inject(carrier: &mut dyn Injector) {
    if !instance::in_use() {
        return;
    }
    if propagators::current().trace_context {
        trace_context::inject(carrier);
    }
    let custom = Context::map_current(CustomPropagators::of);
    if !custom.is_empty() {
        custom.inject(&trace_context::outgoing(), carrier);
    }
}

/// Reads `traceparent` and `tracestate` from `carrier`.
///
/// Baggage is not read: a caller that is not trusted must not set the identity of a run. See
/// [`extract_run`].
///
/// ```
/// use std::collections::HashMap;
///
/// async fn receive(headers: HashMap<String, String>) {
///     let parent = hub_otel::propagation::extract(&headers);
///     hub_otel::agent("scanner", "scan").parent(parent).run(async { /* … */ }).await;
/// }
/// ```
pub fn extract(carrier: &dyn Extractor) -> RemoteContext {
    RemoteContext::new(extract_trace(carrier, CustomPropagators::extract_span))
}

/// Does what [`inject`] does, and writes the identity of the current run as baggage
/// (`workflow.id`, `workflow.run.id`).
///
/// For destinations that may see it; [`BaggageAllowList`](super::BaggageAllowList) keeps a list of
/// them.
///
/// ```
/// #[hub_otel::instrument_workflow]
/// async fn nightly() {
///     let mut headers = std::collections::HashMap::new();
///     hub_otel::propagation::inject_run(&mut headers);
///     // `headers` has `traceparent` and `baggage: workflow.id=nightly,workflow.run.id=…`.
/// }
/// ```
pub fn inject_run(carrier: &mut dyn Injector) {
    inject(carrier);
    if propagators::baggage_is_enabled(propagators::current()) {
        baggage::inject(carrier);
    }
}

/// Does what [`extract`] does, and reads the identity of the caller's run: agents that start under
/// the context belong to that run.
///
/// For callers that are trusted.
///
/// ```
/// use std::collections::HashMap;
///
/// async fn receive(headers: HashMap<String, String>) {
///     let caller = hub_otel::propagation::extract_run(&headers);
///     caller.scope(async { /* … */ }).await;
/// }
/// ```
pub fn extract_run(carrier: &dyn Extractor) -> RemoteContext {
    let context = extract_trace(carrier, CustomPropagators::extract);
    RemoteContext::new(adopt_run(context, carrier))
}

/// Reads the trace context. That of W3C takes precedence over those that `custom` reads.
fn extract_trace(
    carrier: &dyn Extractor,
    custom: fn(&CustomPropagators, Context, &dyn Extractor) -> Context,
) -> Context {
    let mut context = Context::new();
    let propagators = Context::map_current(CustomPropagators::of);
    if !propagators.is_empty() {
        context = custom(&propagators, context, carrier);
    }
    if propagators::current().trace_context {
        context = trace_context::extract(context, carrier);
    }
    Context::map_current(|current| instance::inherit_instance(current, context))
}

/// Returns `context` with the run's identity from `carrier`, whose sender is trusted.
pub(crate) fn adopt_run(context: Context, carrier: &dyn Extractor) -> Context {
    if propagators::baggage_is_enabled(propagators::of(&context)) {
        baggage::extract(context, carrier)
    } else {
        context
    }
}
