//! Whose child a unit is.

use crate::instance;
use crate::propagation::RemoteContext;
use crate::unit::arguments::Opening;
use crate::unit::state::Enclosing;
use opentelemetry::Context;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::TraceContextExt;

/// Where a unit starts.
pub(super) struct Place {
    /// Its span is the parent.
    pub(super) context: Context,
    /// The span that it left for this place.
    pub(super) link: Option<SpanContext>,
    /// The context is the active one.
    pub(super) is_active: bool,
}

/// The first-poll rule: the active span is the parent when there is one of the same trace or none was captured, else the
/// captured one, with a link to the active one.
#[inline]
pub(super) fn place(opening: &mut Opening<'_>, active: Context) -> Place {
    let captured = &opening.captured;
    let asks = opening.asked.is_some() || opening.site.is_some_and(|site| site.root);
    if asks || captured.has_active_span() || carries_anything(captured) {
        return choose(opening, active);
    }
    Place { context: active, link: None, is_active: true }
}

#[inline(never)]
fn choose(opening: &mut Opening<'_>, active: Context) -> Place {
    let asked = opening.asked.as_deref();
    if let Some(parent) = asked.and_then(|asked| asked.parent.clone()) {
        return Place {
            context: instance::inherit_instance(&active, parent),
            link: None,
            is_active: false,
        };
    }
    if opening.site.is_some_and(|site| site.root) || asked.is_some_and(|asked| asked.root) {
        let context = active.with_remote_span_context(SpanContext::NONE);
        return Place { context, link: span_of(&active), is_active: false };
    }
    let captured = std::mem::take(&mut opening.captured);
    if follows(&captured, &active) {
        return Place { context: active, link: None, is_active: true };
    }
    Place { context: captured, link: span_of(&active), is_active: false }
}

/// Whether a unit that was called under `captured` belongs to the `active` context.
pub(super) fn follows(captured: &Context, active: &Context) -> bool {
    let span = captured.span();
    let captured_span = span.span_context();
    if captured_span.is_valid() {
        return active.span().span_context().trace_id() == captured_span.trace_id();
    }
    // No span anywhere; what else travels in a context may have been captured.
    active.span().span_context().is_valid() || !carries_anything(captured)
}

/// Whether a context without a span is worth keeping.
#[inline]
fn carries_anything(captured: &Context) -> bool {
    captured.get::<Enclosing>().is_some() || instance::has_instance(captured)
}

fn span_of(context: &Context) -> Option<SpanContext> {
    Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// What can be given as `parent = …`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` leads to no span",
    label = "neither a context nor a span context",
    note = "`parent` takes an OpenTelemetry `Context` or `SpanContext`, by value or by reference, or an `Option` of one; \
            `hub_otel::propagation::extract` reads one from headers"
)]
pub trait Parent {
    /// The context whose span becomes the parent.
    fn into_parent(self) -> Option<Context>;
}

impl Parent for Context {
    fn into_parent(self) -> Option<Context> {
        Some(self)
    }
}

impl Parent for &Context {
    fn into_parent(self) -> Option<Context> {
        Some(self.clone())
    }
}

impl Parent for RemoteContext {
    fn into_parent(self) -> Option<Context> {
        Some(self.into_otel())
    }
}

impl Parent for &RemoteContext {
    fn into_parent(self) -> Option<Context> {
        Some(self.as_otel().clone())
    }
}

impl Parent for SpanContext {
    fn into_parent(self) -> Option<Context> {
        Some(Context::current().with_remote_span_context(self))
    }
}

impl Parent for &SpanContext {
    fn into_parent(self) -> Option<Context> {
        self.clone().into_parent()
    }
}

impl<P: Parent> Parent for Option<P> {
    fn into_parent(self) -> Option<Context> {
        self.and_then(Parent::into_parent)
    }
}
