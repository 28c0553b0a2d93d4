//! Span of a sampled unit: a record that the unit fills while it runs, and that its end moves to
//! the export.

use crate::gen_ai::content::Admitted;
use crate::options::GenAiNames;
use crate::sdk_types::SdkSpan;
use crate::unit::ending::SpanEnd;
use crate::unit::identity::StartIdentity;
use crate::unit_kind::UnitKind;
use opentelemetry::trace::{Event, Link, Span as _, SpanContext, SpanId, SpanKind, Status};
use opentelemetry::{Context, KeyValue};
#[cfg(feature = "live")]
use opentelemetry_sdk::trace::SpanData;
use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Sampling of the spans of units, and their way to the exporters.
pub(crate) trait UnitSpans: Send + Sync {
    /// Returns the limits of what a span takes.
    fn limits(&self) -> RecordLimits;

    /// Decides whether a new span is recorded, and gives it its ids. `parent` is its parent.
    fn begin(&self, span: &mut UnitSpan, parent: &Context) -> bool;

    /// Takes a span that has ended.
    fn end(&self, span: Box<UnitSpan>, end: SpanEnd);

    /// Returns a copy of a span in progress, for the live view.
    #[cfg(feature = "live")]
    fn snapshot(&self, span: &UnitSpan) -> Option<SpanData> {
        let sdk = span.rare.as_ref()?.sdk.as_ref()?;
        sdk.exported_data()
    }
}

/// Limits of what a span takes. The end drops what exceeds them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordLimits {
    pub(crate) attributes: usize,
    pub(crate) events: usize,
    pub(crate) links: usize,
    pub(crate) event_attributes: usize,
    pub(crate) link_attributes: usize,
}

/// Span of a unit: what is known at its start, and what is recorded while it runs. Its end,
/// [`SpanEnd`], is beside it in the queue: a unit in progress needs no space for one.
#[derive(Debug)]
pub(crate) struct UnitSpan {
    pub(crate) kind: UnitKind,
    pub(crate) context: SpanContext,
    pub(crate) parent_id: SpanId,
    pub(crate) parent_is_remote: bool,
    pub(crate) span_kind: SpanKind,
    pub(crate) name: Cow<'static, str>,
    pub(crate) started: SystemTime,
    pub(crate) identity: StartIdentity,
    /// Names of the GenAI attributes of a workflow or an agent. `None`: without.
    pub(crate) gen_ai: Option<GenAiNames>,
    /// Attributes beyond those of the identity and of the end.
    pub(crate) fields: FieldList,
    pub(crate) rare: Option<Box<RareFacts>>,
}

/// Facts that few spans have. Boxed, to keep [`UnitSpan`] small.
#[derive(Debug, Default)]
pub(crate) struct RareFacts {
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) dropped_attributes: u32,
    pub(crate) dropped_events: u32,
    pub(crate) dropped_links: u32,
    /// Content of the event about a call of a model. A key occurs once.
    pub(crate) details: Vec<KeyValue>,
    /// Status that the user set. The unit's own takes precedence.
    pub(crate) user_status: Status,
    /// The SDK's span, for the span processors of the application. It takes all changes.
    pub(crate) sdk: Option<SdkSpan>,
}

/// Limit of the attributes with content in one event.
const MAX_DETAILS: usize = 32;

impl UnitSpan {
    pub(crate) fn rare(&mut self) -> &mut RareFacts {
        self.rare.get_or_insert_default()
    }

    fn sdk(&mut self) -> Option<&mut SdkSpan> {
        self.rare.as_mut()?.sdk.as_mut()
    }

    pub(crate) fn set_attribute(&mut self, attribute: KeyValue, limits: &RecordLimits) {
        if let Some(sdk) = self.sdk() {
            sdk.set_attribute(attribute);
        } else if self.fields.len() < limits.attributes {
            self.fields.push(attribute);
        } else {
            self.rare().dropped_attributes += 1;
        }
    }

    /// Sets what the consent to content leaves of an attribute.
    #[inline]
    pub(crate) fn set_admitted(&mut self, admitted: Admitted, limits: &RecordLimits) {
        if let Some(attribute) = admitted.span {
            self.set_attribute(attribute, limits);
        }
        if let Some(detail) = admitted.event {
            self.set_detail(detail);
        }
    }

    #[cold]
    fn set_detail(&mut self, detail: KeyValue) {
        if self.kind != UnitKind::Llm {
            return;
        }
        let details = &mut self.rare().details;
        details.retain(|earlier| earlier.key != detail.key);
        if details.len() < MAX_DETAILS {
            details.push(detail);
        }
    }

    pub(crate) fn clear_details(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.details.clear();
        }
    }

    pub(crate) fn add_event(
        &mut self,
        name: Cow<'static, str>,
        timestamp: SystemTime,
        mut attributes: Vec<KeyValue>,
        limits: &RecordLimits,
    ) {
        let rare = self.rare();
        if let Some(sdk) = &mut rare.sdk {
            sdk.add_event_with_timestamp(name, timestamp, attributes);
        } else if rare.events.len() < limits.events {
            let dropped = truncate(&mut attributes, limits.event_attributes);
            rare.events.push(Event::new(name, timestamp, attributes, dropped));
        } else {
            rare.dropped_events += 1;
        }
    }

    pub(crate) fn add_link(
        &mut self,
        context: SpanContext,
        mut attributes: Vec<KeyValue>,
        limits: &RecordLimits,
    ) {
        let rare = self.rare();
        if let Some(sdk) = &mut rare.sdk {
            sdk.add_link(context, attributes);
        } else if rare.links.len() < limits.links {
            let dropped = truncate(&mut attributes, limits.link_attributes);
            rare.links.push(Link::new(context, attributes, dropped));
        } else {
            rare.dropped_links += 1;
        }
    }

    /// Sets the status of the user. `Ok` is above `Error`, which is above `Unset`, as in the SDK's
    /// span.
    pub(crate) fn set_user_status(&mut self, status: Status) {
        let rare = self.rare();
        if status > rare.user_status {
            rare.user_status = status;
        }
    }

    pub(crate) fn update_name(&mut self, name: Cow<'static, str>) {
        match self.sdk() {
            Some(sdk) => sdk.update_name(name),
            None => self.name = name,
        }
    }
}

/// Removes the attributes beyond a limit. Returns their number.
fn truncate(attributes: &mut Vec<KeyValue>, limit: usize) -> u32 {
    let dropped = attributes.len().saturating_sub(limit);
    attributes.truncate(limit);
    u32::try_from(dropped).unwrap_or(u32::MAX)
}

/// Attributes in the order in which they were set. The first two need no allocation.
#[derive(Debug, Default)]
pub(crate) struct FieldList {
    inline: [Option<KeyValue>; 2],
    more: Vec<KeyValue>,
}

impl FieldList {
    pub(crate) fn push(&mut self, attribute: KeyValue) {
        match &mut self.inline {
            [first @ None, _] => *first = Some(attribute),
            [_, second @ None] => *second = Some(attribute),
            _ => self.more.push(attribute),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.inline.iter().flatten().count() + self.more.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyValue> {
        self.inline.iter().flatten().chain(&self.more)
    }
}

/// The span of a unit in progress, which any thread may change until the unit ends it.
#[derive(Debug)]
pub(crate) struct RecordedSpan {
    context: SpanContext,
    /// `None` after the end.
    open: Mutex<Option<Box<UnitSpan>>>,
}

impl RecordedSpan {
    pub(crate) fn new(span: Box<UnitSpan>) -> Self {
        Self { context: span.context.clone(), open: Mutex::new(Some(span)) }
    }

    pub(crate) fn context(&self) -> &SpanContext {
        &self.context
    }

    /// Returns whether the span still takes attributes and events.
    pub(crate) fn is_recording(&self) -> bool {
        self.lock().is_some()
    }

    /// Applies `change` to the span. No-op after the end.
    pub(crate) fn change(&self, change: impl FnOnce(&mut UnitSpan)) {
        if let Some(span) = &mut *self.lock() {
            change(span);
        }
    }

    /// Takes the span in order to end it. `None` if it was taken before.
    pub(crate) fn take(&self) -> Option<Box<UnitSpan>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<UnitSpan>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
