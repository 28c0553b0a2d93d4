//! The encoding of the span of a unit.

use crate::export::encode::otlp::unix_nanos;
use crate::export::encode::spans::{SpanEncoder, kind_number, span_flags};
use crate::semconv::event;
use crate::unit::span_facts::{ExceptionRef, SpanFacts};

impl<'a> SpanEncoder<'a> {
    pub(super) fn unit_span(&mut self, facts: SpanFacts<'a>) {
        let mut attributes = std::mem::take(&mut self.attributes);
        let dropped_attributes = facts.attributes(&self.limits, &mut attributes);
        let (span, ended) = (facts.span, unix_nanos(facts.ended()));
        let message = self.otlp.writer.begin_message(2);
        self.span_ids(&span.context);
        self.parent_id(span.parent_id);
        self.otlp.writer.string(5, &span.name);
        self.otlp.writer.uint32(6, kind_number(&span.span_kind));
        self.otlp.writer.fixed64(7, unix_nanos(span.started));
        self.otlp.writer.fixed64(8, ended);
        attributes.drain(..).for_each(|attribute| self.otlp.attribute(9, attribute));
        self.attributes = attributes;
        self.otlp.writer.uint32(10, dropped_attributes);
        self.unit_events(facts, ended);
        if let Some(rare) = &span.rare {
            rare.links.iter().for_each(|link| self.link(link));
            self.otlp.writer.uint32(14, rare.dropped_links);
        }
        self.status(facts.status());
        self.otlp.writer.fixed32(16, span_flags(&span.context, span.parent_is_remote));
        self.otlp.writer.end_message(message);
    }

    /// Writes the recorded events and the exception, if there is room for it.
    fn unit_events(&mut self, facts: SpanFacts<'a>, ended: u64) {
        let rare = facts.span.rare.as_ref();
        let (events, mut dropped) =
            rare.map_or((&[][..], 0), |rare| (&rare.events, rare.dropped_events));
        events.iter().for_each(|event| self.event(event));
        match facts.exception() {
            Some(exception) if events.len() < self.limits.events => {
                self.exception(&exception, ended);
            }
            Some(_) => dropped += 1,
            None => {}
        }
        self.otlp.writer.uint32(12, dropped);
    }

    fn exception(&mut self, exception: &ExceptionRef<'a>, ended: u64) {
        let attributes = exception.attributes();
        let kept = attributes.len().min(self.limits.event_attributes);
        let message = self.otlp.writer.begin_message(11);
        self.otlp.writer.fixed64(1, ended);
        self.otlp.writer.string(2, event::EXCEPTION);
        attributes[..kept].iter().for_each(|attribute| self.otlp.attribute(3, *attribute));
        self.otlp.writer.uint32(4, u32::try_from(attributes.len() - kept).unwrap_or(u32::MAX));
        self.otlp.writer.end_message(message);
    }
}
