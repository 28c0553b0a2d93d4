//! Types that can be the parent of a unit, or linked to it.

use crate::propagation::RemoteContext;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};

mod sealed {
    pub trait Sealed {}
}

/// A parent of a unit: `parent = …` of the macros, [`Unit::parent`](crate::Unit::parent).
///
/// Implemented for [`RemoteContext`] and for OpenTelemetry's `Context` and `SpanContext`, by value
/// and by reference, and for an `Option` of one. Sealed: other crates cannot implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a parent of a unit",
    label = "neither a context nor a span context",
    note = "`parent` takes an OpenTelemetry `Context` or `SpanContext`, by value or by reference, or an `Option` of one; \
            `hub_otel::propagation::extract` reads one from headers"
)]
pub trait IntoParent: sealed::Sealed {
    /// Returns the context whose span becomes the parent.
    #[doc(hidden)]
    fn into_parent(self) -> Option<Context>;
}

impl sealed::Sealed for RemoteContext {}
impl IntoParent for RemoteContext {
    fn into_parent(self) -> Option<Context> {
        Some(self.into_otel())
    }
}

impl sealed::Sealed for &RemoteContext {}
impl IntoParent for &RemoteContext {
    fn into_parent(self) -> Option<Context> {
        Some(self.as_otel().clone())
    }
}

impl sealed::Sealed for Context {}
impl IntoParent for Context {
    fn into_parent(self) -> Option<Context> {
        Some(self)
    }
}

impl sealed::Sealed for &Context {}
impl IntoParent for &Context {
    fn into_parent(self) -> Option<Context> {
        Some(self.clone())
    }
}

impl sealed::Sealed for SpanContext {}
impl IntoParent for SpanContext {
    fn into_parent(self) -> Option<Context> {
        Some(Context::current().with_remote_span_context(self))
    }
}

impl sealed::Sealed for &SpanContext {}
impl IntoParent for &SpanContext {
    fn into_parent(self) -> Option<Context> {
        self.clone().into_parent()
    }
}

impl<P: sealed::Sealed> sealed::Sealed for Option<P> {}
impl<P: IntoParent> IntoParent for Option<P> {
    fn into_parent(self) -> Option<Context> {
        self.and_then(IntoParent::into_parent)
    }
}

/// A span that a unit links to: `links = …` of the macros, [`Unit::links`](crate::Unit::links).
///
/// Implemented for OpenTelemetry's `SpanContext`, by value and by reference. Sealed: other crates
/// cannot implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be linked",
    label = "not a span context",
    note = "`links` takes an iterator of OpenTelemetry's `SpanContext`"
)]
pub trait IntoLink: sealed::Sealed {
    /// Returns the linked span. `None` if its context is not valid.
    #[doc(hidden)]
    fn into_link(self) -> Option<SpanContext>;
}

impl IntoLink for SpanContext {
    fn into_link(self) -> Option<SpanContext> {
        Some(self).filter(SpanContext::is_valid)
    }
}

impl IntoLink for &SpanContext {
    fn into_link(self) -> Option<SpanContext> {
        self.clone().into_link()
    }
}
