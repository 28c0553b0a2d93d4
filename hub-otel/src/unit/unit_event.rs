//! Log records about units that other threads format and encode.
//!
//! The subscriber of the application gets events of the `tracing` crate. The one that
//! [`Telemetry::install`](crate::Telemetry::install) sets belongs to this library: for it an event
//! is a record, and the calling thread neither formats a line nor builds a log record.

use opentelemetry::Context;
use opentelemetry::StringValue;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use tracing::Level;

/// A log record about a unit.
#[derive(Debug)]
#[cfg_attr(not(feature = "sdk"), expect(dead_code, reason = "without the SDK nothing is exported"))]
pub(crate) struct UnitEvent {
    pub(crate) at: SystemTime,
    pub(crate) level: Level,
    /// Name of the event, and text of the line.
    pub(crate) name: &'static str,
    /// Span of the current context.
    pub(crate) span: Option<SpanContext>,
    pub(crate) fields: Vec<(&'static str, StringValue)>,
}

impl UnitEvent {
    /// Creates an event of the current context. A field without a value is omitted.
    pub(super) fn new<const N: usize>(
        level: Level,
        name: &'static str,
        fields: [(&'static str, Option<StringValue>); N],
    ) -> Self {
        let span = Context::map_current(|context| {
            context.has_active_span().then(|| context.span().span_context().clone())
        });
        let mut present = Vec::with_capacity(N);
        present.extend(fields.into_iter().filter_map(|(key, value)| Some((key, value?))));
        Self { at: SystemTime::now(), level, name, span, fields: present }
    }
}

/// Takes the events of units in place of a `tracing` subscriber.
pub(crate) trait UnitEventSink: Send + Sync {
    /// Returns whether this sink takes the events at `level` that occur on the calling thread.
    fn takes(&self, level: Level) -> bool;

    /// Takes an event. Returns `false` if it is too large: the subscriber gets it.
    fn submit(&self, event: UnitEvent) -> bool;
}

static SINK: RwLock<Option<Arc<dyn UnitEventSink>>> = RwLock::new(None);

/// Sets the sink of the process.
#[cfg(feature = "sdk")]
pub(crate) fn set_sink(sink: Arc<dyn UnitEventSink>) {
    *SINK.write().unwrap_or_else(PoisonError::into_inner) = Some(sink);
}

/// Gives an event to the sink. Returns `false` if it is one for the subscriber.
pub(super) fn submit(level: Level, event: impl FnOnce() -> UnitEvent) -> bool {
    let sink = SINK.read().unwrap_or_else(PoisonError::into_inner);
    sink.as_ref().is_some_and(|sink| sink.takes(level) && sink.submit(event()))
}

/// A text of an event, borrowed for a subscriber or shared with a record.
pub(super) trait EventText {
    fn text(&self) -> Option<&str>;
    fn to_shared(&self) -> Option<StringValue>;
}

impl EventText for &'static str {
    fn text(&self) -> Option<&str> {
        Some(self)
    }

    fn to_shared(&self) -> Option<StringValue> {
        Some(StringValue::from(*self))
    }
}

impl EventText for &StringValue {
    fn text(&self) -> Option<&str> {
        Some(self.as_str())
    }

    fn to_shared(&self) -> Option<StringValue> {
        Some((*self).clone())
    }
}

impl EventText for &Cow<'static, str> {
    fn text(&self) -> Option<&str> {
        Some(self)
    }

    fn to_shared(&self) -> Option<StringValue> {
        Some(StringValue::from((*self).clone()))
    }
}

impl EventText for &String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }

    fn to_shared(&self) -> Option<StringValue> {
        Some(StringValue::from((*self).clone()))
    }
}

impl<T: EventText> EventText for Option<T> {
    fn text(&self) -> Option<&str> {
        self.as_ref().and_then(EventText::text)
    }

    fn to_shared(&self) -> Option<StringValue> {
        self.as_ref().and_then(EventText::to_shared)
    }
}
