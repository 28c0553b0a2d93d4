//! Spans that have ended: those of units, and the SDK's.

use crate::semconv::{event, library_scope};
use crate::unit::ending::SpanEnd;
use crate::unit::span::{RareFacts, RecordLimits, UnitSpan};
use crate::unit::span_facts::{AttributeRef, SpanFacts, StatusRef};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Link, Status};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::borrow::Cow;

/// A span that waits for its export.
#[derive(Debug)]
pub(crate) enum EndedSpan {
    Unit(Box<UnitSpan>, SpanEnd),
    /// Boxed: most spans are those of units, and a queue has room for thousands.
    Sdk(Box<SpanData>),
}

/// Converts the span of a unit into the SDK's data, for what is made for it: span processors, the
/// console, the test kit, http/json.
pub(crate) fn to_span_data(mut span: UnitSpan, end: &SpanEnd, limits: &RecordLimits) -> SpanData {
    let take = |rare: &mut Box<RareFacts>| {
        (std::mem::take(&mut rare.events), std::mem::take(&mut rare.links))
    };
    let (events, links) = span.rare.as_mut().map(take).unwrap_or_default();
    convert(SpanFacts { span: &span, end: Some(end) }, events, links, limits)
}

/// Returns the SDK's data of a span of a unit, which may be in progress.
#[cfg(feature = "live")]
pub(crate) fn copy_span_data(facts: SpanFacts<'_>, limits: &RecordLimits) -> SpanData {
    let copy = |rare: &RareFacts| (rare.events.clone(), rare.links.clone());
    let (events, links) = facts.span.rare.as_deref().map(copy).unwrap_or_default();
    convert(facts, events, links, limits)
}

fn convert(
    facts: SpanFacts<'_>,
    recorded: Vec<Event>,
    linked: Vec<Link>,
    limits: &RecordLimits,
) -> SpanData {
    let span = facts.span;
    let mut attributes = Vec::new();
    let dropped_attributes_count = facts.attributes(limits, &mut attributes);
    let attributes = attributes.into_iter().map(AttributeRef::to_key_value).collect();
    let status = match facts.status() {
        StatusRef::Unset => Status::Unset,
        StatusRef::Ok => Status::Ok,
        StatusRef::Error(text) => Status::Error { description: Cow::Owned(text.to_owned()) },
    };
    let exception = exception_event(facts, limits);
    let (mut events, mut links) = (SpanEvents::default(), SpanLinks::default());
    events.events = recorded;
    links.links = linked;
    if let Some(rare) = &span.rare {
        events.dropped_count = rare.dropped_events;
        links.dropped_count = rare.dropped_links;
    }
    match exception {
        Some(event) if events.events.len() < limits.events => events.events.push(event),
        Some(_) => events.dropped_count += 1,
        None => {}
    }
    SpanData {
        parent_span_id: span.parent_id,
        parent_span_is_remote: span.parent_is_remote,
        start_time: span.started,
        end_time: facts.ended(),
        span_context: span.context.clone(),
        span_kind: span.span_kind.clone(),
        name: span.name.clone(),
        attributes,
        dropped_attributes_count,
        events,
        links,
        status,
        instrumentation_scope: library_scope(),
    }
}

/// Returns the event of the exception that ended a unit.
fn exception_event(facts: SpanFacts<'_>, limits: &RecordLimits) -> Option<Event> {
    let exception = facts.exception()?;
    let attributes = exception.attributes();
    let kept = attributes.len().min(limits.event_attributes);
    let dropped = u32::try_from(attributes.len() - kept).unwrap_or(u32::MAX);
    let attributes: Vec<KeyValue> =
        attributes[..kept].iter().map(|attribute| attribute.to_key_value()).collect();
    Some(Event::new(event::EXCEPTION, facts.ended(), attributes, dropped))
}
