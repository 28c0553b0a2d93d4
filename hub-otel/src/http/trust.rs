//! [`Trust`]: the propagation headers that a server accepts.

use crate::options::Propagation;
use crate::propagation::custom::CustomPropagators;
use crate::propagation::{OtelExtractor, adopt_run, propagators, traceparent};
use http_types::{HeaderMap, HeaderName};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::Link;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::BaggagePropagator;

/// The propagation headers that a server accepts from its callers.
///
/// A caller whose `traceparent` is accepted can add spans to any trace, and have each of its
/// requests sampled. A caller whose `baggage` is accepted can set the identity of the run. Headers
/// that OTEL_PROPAGATORS leaves out are never read.
///
/// ```
/// use hub_otel::http::{ServerLayer, Trust};
///
/// let public = ServerLayer::new().trust(Trust::Link);
/// let internal = ServerLayer::new().trust(Trust::TraceAndBaggage);
/// # let _ = (public, internal);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// None: every request starts a trace of its own. For public servers.
    Nothing,
    /// `traceparent` as a link: every request starts a trace of its own, with a link to the
    /// caller's span. For public servers whose callers are instrumented too.
    Link,
    /// `traceparent` and `tracestate`, but not `baggage`.
    #[default]
    Trace,
    /// `traceparent`, `tracestate` and `baggage`, which contains the identity of the caller's run.
    /// For internal callers.
    TraceAndBaggage,
}

/// The parent of a request's span.
pub(super) struct RequestParent {
    pub(super) context: Context,
    pub(super) links: Vec<Link>,
}

impl Trust {
    /// Reads the accepted headers. `local` is the context without them.
    pub(super) fn extract(
        self,
        headers: &HeaderMap,
        local: Context,
        propagation: Propagation,
        custom: &CustomPropagators,
    ) -> RequestParent {
        if self == Self::Nothing {
            return RequestParent { context: local, links: Vec::new() };
        }
        let before = (self == Self::Link).then(|| local.clone());
        let mut context = match self {
            Self::TraceAndBaggage => custom.extract(local, headers),
            _ => custom.extract_span(local, headers),
        };
        if propagation.trace_context
            && let Some(caller) = caller_span(headers)
        {
            context = context.with_remote_span_context(caller);
        }
        if let Some(before) = before {
            let caller = context.span().span_context().clone();
            let is_caller = caller.is_valid() && caller != *before.span().span_context();
            let links = is_caller.then(|| Link::new(caller, Vec::new(), 0));
            return RequestParent { context: before, links: links.into_iter().collect() };
        }
        let mut parent = RequestParent { context, links: Vec::new() };
        if self == Self::TraceAndBaggage
            && propagators::baggage_is_enabled(propagation)
            && headers.contains_key("baggage")
        {
            let propagator = BaggagePropagator::new();
            let carrier = OtelExtractor::new(headers);
            let context = propagator.extract_with_context(&parent.context, &carrier);
            parent.context = adopt_run(context, headers);
        }
        parent
    }
}

/// Returns the caller's span. Like [`extract`](crate::propagation::extract), without a list for the
/// lines of `traceparent`, of which almost every request has one.
fn caller_span(headers: &HeaderMap) -> Option<SpanContext> {
    // Not looked up by their text, which is parsed as a name each time.
    static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
    static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
    let lines = headers.get_all(&TRACEPARENT).iter();
    let mut lines = lines.filter_map(|line| line.to_str().ok());
    let traceparent = lines.next().filter(|_| lines.next().is_none())?;
    traceparent::parse(traceparent, || {
        let lines = headers.get_all(&TRACESTATE).iter().filter_map(|line| line.to_str().ok());
        let lines: Vec<_> = lines.collect();
        (!lines.is_empty()).then(|| lines.join(","))
    })
}
