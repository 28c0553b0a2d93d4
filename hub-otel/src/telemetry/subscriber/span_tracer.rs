//! The tracer of the layer that exports `tracing` spans: it maps the span of a unit to the unit.

use crate::sdk_types::{SdkSpan, SdkTracer};
use crate::semconv::{REQUEST_SPAN, UNIT_SPAN};
use crate::unit::raw_span::RawSpan;
use crate::unit::stack;
use crate::unit::state::ActiveUnit;
use opentelemetry::trace::{Span, SpanBuilder, SpanContext, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

/// The SDK's tracer of the installed instance, which the next installation replaces.
///
/// Replaced here and not by a `reload::Layer`: `OpenTelemetrySpanExt` does not find a layer in one.
#[derive(Debug, Clone)]
pub(super) struct SpanTracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sdk: RwLock<Option<SdkTracer>>,
    opens_units: AtomicBool,
}

impl SpanTracer {
    /// Creates a tracer. Without `sdk` it records no span. `opens_units`: units are spans of the
    /// subscriber.
    pub(super) fn new(sdk: Option<SdkTracer>, opens_units: bool) -> Self {
        let opens_units = AtomicBool::new(opens_units);
        Self(Arc::new(Inner { sdk: RwLock::new(sdk), opens_units }))
    }

    pub(super) fn replace(&self, sdk: Option<SdkTracer>, opens_units: bool) {
        *self.0.sdk.write().unwrap_or_else(PoisonError::into_inner) = sdk;
        self.0.opens_units.store(opens_units, Ordering::Relaxed);
    }

    pub(super) fn opens_units(&self) -> bool {
        self.0.opens_units.load(Ordering::Relaxed)
    }
}

impl Tracer for SpanTracer {
    type Span = TracingSpan;

    fn build_with_context(&self, mut builder: SpanBuilder, parent: &Context) -> TracingSpan {
        let context = || parent.span().span_context().clone();
        if builder.name == UNIT_SPAN
            && let Some(unit) = parent.get::<Arc<ActiveUnit>>()
        {
            // An unsampled unit has no span: its context has the sampling decision.
            let context = unit.span.as_ref().map_or_else(context, |span| span.context().clone());
            return TracingSpan::Unit(RawSpan(Arc::clone(unit)), context);
        }
        if builder.name == REQUEST_SPAN {
            return TracingSpan::Request(parent.clone(), context());
        }
        if let Some(of_the_run) = stack::inherited_attributes(parent) {
            // The span's own values precede: the last one of a key is exported.
            let own = builder.attributes.take().unwrap_or_default();
            builder.attributes = Some(of_the_run.iter().cloned().chain(own).collect());
        }
        match &*self.0.sdk.read().unwrap_or_else(PoisonError::into_inner) {
            #[expect(clippy::disallowed_methods, reason = "the spans of the `tracing` crate")]
            Some(sdk) => {
                let sdk = sdk.build_with_context(builder, parent);
                TracingSpan::Exported(ExportedSpan { sdk, late: Vec::new() })
            }
            None => TracingSpan::Transparent(context()),
        }
    }
}

/// A span of its own, with the attributes that were set after its start.
///
/// The SDK's span appends a value that is recorded again, until its limit of attributes drops what
/// follows. Kept here, the last value of each key remains.
#[derive(Debug)]
pub(super) struct ExportedSpan {
    sdk: SdkSpan,
    late: Vec<KeyValue>,
}

/// Limit of the attributes that are kept: more distinct ones are appended to the SDK's span.
const MAX_LATE: usize = 128;

impl ExportedSpan {
    fn set_attribute(&mut self, attribute: KeyValue) {
        if let Some(late) = self.late.iter_mut().find(|late| late.key == attribute.key) {
            *late = attribute;
        } else if self.late.len() < MAX_LATE {
            self.late.push(attribute);
        } else {
            self.sdk.set_attribute(attribute);
        }
    }

    fn end(&mut self, timestamp: SystemTime) {
        self.sdk.set_attributes(std::mem::take(&mut self.late));
        self.sdk.end_with_timestamp(timestamp);
    }
}

/// The OpenTelemetry span of a `tracing` span.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are exported")]
pub(super) enum TracingSpan {
    /// A span of its own.
    Exported(ExportedSpan),
    /// The unit's span, which only the unit ends.
    Unit(RawSpan, SpanContext),
    /// The span of a request, which is the current one of the context. Only the request ends it.
    Request(Context, SpanContext),
    /// Not recorded: children belong to the parent.
    Transparent(SpanContext),
}

impl Span for TracingSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        match self {
            Self::Exported(span) => span.sdk.add_event_with_timestamp(name, timestamp, attributes),
            Self::Unit(span, _) => span.add_event_with_timestamp(name, timestamp, attributes),
            Self::Request(context, _) => {
                context.span().add_event_with_timestamp(name, timestamp, attributes);
            }
            Self::Transparent(_) => {}
        }
    }

    fn span_context(&self) -> &SpanContext {
        match self {
            Self::Exported(span) => span.sdk.span_context(),
            Self::Unit(_, context) | Self::Request(_, context) | Self::Transparent(context) => {
                context
            }
        }
    }

    fn is_recording(&self) -> bool {
        match self {
            Self::Exported(span) => span.sdk.is_recording(),
            Self::Unit(span, _) => span.is_recording(),
            Self::Request(context, _) => context.span().is_recording(),
            Self::Transparent(_) => false,
        }
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        match self {
            Self::Exported(span) => span.set_attribute(attribute),
            Self::Unit(span, _) => span.set_attribute(attribute),
            Self::Request(context, _) => context.span().set_attribute(attribute),
            Self::Transparent(_) => {}
        }
    }

    fn set_status(&mut self, status: Status) {
        match self {
            Self::Exported(span) => span.sdk.set_status(status),
            Self::Unit(span, _) => span.set_status(status),
            Self::Request(context, _) => context.span().set_status(status),
            Self::Transparent(_) => {}
        }
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        match self {
            Self::Exported(span) => span.sdk.update_name(new_name),
            Self::Unit(span, _) => span.update_name(new_name),
            Self::Request(context, _) => context.span().update_name(new_name),
            Self::Transparent(_) => {}
        }
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        match self {
            Self::Exported(span) => span.sdk.add_link(span_context, attributes),
            Self::Unit(span, _) => span.add_link(span_context, attributes),
            Self::Request(context, _) => context.span().add_link(span_context, attributes),
            Self::Transparent(_) => {}
        }
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        if let Self::Exported(span) = self {
            span.end(timestamp);
        }
    }
}
