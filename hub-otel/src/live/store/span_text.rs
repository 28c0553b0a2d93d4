//! The text of a span, in which the page searches.

use super::trace::{StoredSpan, Trace};
use crate::live::wire_text::to_text;
use opentelemetry::trace::TraceId;
use opentelemetry_proto::tonic::common::v1::KeyValue;

impl Trace {
    /// Returns name, status, attributes, events and content of a span in lower case, a line each.
    pub(super) fn text(&self, id: TraceId, stored: &StoredSpan) -> String {
        let span = stored.to_wire(id);
        let mut lines = vec![span.name];
        lines.extend(span.status.map(|status| status.message));
        lines.extend(span.attributes.iter().map(line));
        for event in span.events {
            lines.push(event.name);
            lines.extend(event.attributes.iter().map(line));
        }
        for content in self.content(stored.id) {
            let content: Vec<KeyValue> = serde_json::from_str(content.get()).unwrap_or_default();
            lines.extend(content.iter().map(line));
        }
        lines.join("\n").to_lowercase()
    }
}

fn line(attribute: &KeyValue) -> String {
    let value = attribute.value.as_ref().map(to_text).unwrap_or_default();
    format!("{}={value}", attribute.key)
}
