//! The spans of units, copied to the feed at their start and their end.

use super::feed::Feed;
use crate::config::sampler::ValueLimit;
use crate::export::ended_span::copy_span_data;
use crate::export::limits::limit_span;
use crate::unit::ending::SpanEnd;
use crate::unit::span::{RecordLimits, UnitSpan, UnitSpans};
use crate::unit::span_facts::SpanFacts;
use opentelemetry::Context;
use opentelemetry_sdk::trace::SpanData;
use std::sync::Arc;

/// The spans of units, and the feed. Not in use while the live view is off.
pub(crate) struct LiveUnitSpans<S> {
    pub(crate) spans: S,
    pub(crate) feed: Arc<Feed>,
    pub(crate) value_limit: ValueLimit,
}

impl<S: UnitSpans> UnitSpans for LiveUnitSpans<S> {
    fn limits(&self) -> RecordLimits {
        self.spans.limits()
    }

    fn begin(&self, span: &mut UnitSpan, parent: &Context) -> bool {
        let is_recorded = self.spans.begin(span, parent);
        if is_recorded {
            let facts = SpanFacts { span, end: None };
            let mut data = copy_span_data(facts, &self.spans.limits());
            let bytes = limit_span(&mut data, self.value_limit);
            self.feed.started(data, bytes);
        }
        is_recorded
    }

    fn end(&self, span: Box<UnitSpan>, end: SpanEnd) {
        let facts = SpanFacts { span: &span, end: Some(&end) };
        let mut data = copy_span_data(facts, &self.spans.limits());
        let bytes = limit_span(&mut data, self.value_limit);
        self.feed.ended(data, bytes);
        self.spans.end(span, end);
    }

    fn snapshot(&self, span: &UnitSpan) -> Option<SpanData> {
        Some(copy_span_data(SpanFacts { span, end: None }, &self.spans.limits()))
    }
}
