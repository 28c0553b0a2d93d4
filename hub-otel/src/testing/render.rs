//! Captured spans, and their tree as text.

use crate::semconv::attribute as a;
use opentelemetry::KeyValue;
use opentelemetry::Value;
use opentelemetry::trace::SpanId;
use opentelemetry::trace::Status;
use opentelemetry::trace::TraceId;
use opentelemetry_sdk::trace::SpanData;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

/// The spans that have ended.
#[derive(Debug, Clone)]
pub struct Spans(Vec<Span>);

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// `Internal`, `Server`, …
    pub kind: String,
    /// `Unset`, `Ok`, or `Error: ` and the description.
    pub status: String,
    /// Its trace, in hexadecimal.
    pub trace_id: String,
    /// Its own id, in hexadecimal.
    pub span_id: String,
    /// Its parent's id; empty for a root.
    pub parent_id: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, Value>,
    /// Its events, in order.
    pub events: Vec<Event>,
    /// The span ids that it is linked to.
    pub links: Vec<String>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// Keys that occur more than once: OTLP forbids it.
    pub(super) repeated: Vec<String>,
}

/// An event of a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, Value>,
}

fn map<'a>(
    attributes: impl IntoIterator<Item = &'a KeyValue>,
) -> (BTreeMap<String, Value>, Vec<String>) {
    let mut repeated = Vec::new();
    let mut map = BTreeMap::new();
    for attribute in attributes {
        if map.insert(attribute.key.to_string(), attribute.value.clone()).is_some() {
            repeated.push(attribute.key.to_string());
        }
    }
    (map, repeated)
}

impl Span {
    fn new(data: &SpanData) -> Self {
        let (attributes, repeated) = map(&data.attributes);
        let hex = |id: SpanId| if id == SpanId::INVALID { String::new() } else { id.to_string() };
        Self {
            name: data.name.to_string(),
            kind: format!("{:?}", data.span_kind),
            status: match &data.status {
                Status::Unset => "Unset".to_owned(),
                Status::Ok => "Ok".to_owned(),
                Status::Error { description } => format!("Error: {description}"),
            },
            trace_id: if data.span_context.trace_id() == TraceId::INVALID {
                String::new()
            } else {
                data.span_context.trace_id().to_string()
            },
            span_id: hex(data.span_context.span_id()),
            parent_id: hex(data.parent_span_id),
            attributes,
            events: data
                .events
                .iter()
                .map(|event| Event {
                    name: event.name.to_string(),
                    attributes: map(&event.attributes).0,
                })
                .collect(),
            links: data.links.iter().map(|link| hex(link.span_context.span_id())).collect(),
            start: data.start_time,
            end: data.end_time,
            repeated,
        }
    }

    /// An attribute as text; empty where it is not there.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        self.attributes.get(key).map(Value::to_string).unwrap_or_default()
    }
}

impl Spans {
    pub(super) fn new(data: &[SpanData]) -> Self {
        let mut spans: Vec<Span> = data.iter().map(Span::new).collect();
        spans.sort_by_key(|span| span.start);
        Self(spans)
    }

    /// All spans, in the order in which they began.
    pub fn iter(&self) -> std::slice::Iter<'_, Span> {
        self.0.iter()
    }

    /// The spans of this name, in the order in which they began.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<&Span> {
        self.0.iter().filter(|span| span.name == name).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Siblings in the order of their text: for work that is done in no fixed order.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let texts: BTreeMap<String, String> =
            self.0.iter().map(|span| (span.span_id.clone(), self.below(span))).collect();
        self.0.sort_by(|one, other| texts.get(&one.span_id).cmp(&texts.get(&other.span_id)));
        self
    }

    fn below(&self, span: &Span) -> String {
        let mut text = String::new();
        self.render(span, 0, &mut text, &mut |span, indent, text| lines(self, span, indent, text));
        text
    }

    /// Every trace as an indented tree: name, status, attributes sorted by key, events, links. What differs from run to
    /// run is shown as `…`: durations, and ids that were made up.
    #[must_use]
    pub fn tree(&self) -> String {
        self.write(&mut |span, indent, text| lines(self, span, indent, text))
    }

    /// The tree with names alone.
    #[must_use]
    pub fn names(&self) -> String {
        self.write(&mut |span, indent, text| {
            let _ = writeln!(text, "{:indent$}{}", "", span.name);
        })
    }

    fn write(&self, line: &mut dyn FnMut(&Span, usize, &mut String)) -> String {
        let mut text = String::new();
        let is_here = |id: &str| self.0.iter().any(|span| span.span_id == id);
        for root in self.0.iter().filter(|span| !is_here(&span.parent_id)) {
            self.render(root, 0, &mut text, line);
        }
        text
    }

    fn render(
        &self,
        span: &Span,
        indent: usize,
        text: &mut String,
        line: &mut dyn FnMut(&Span, usize, &mut String),
    ) {
        line(span, indent, text);
        for child in self.0.iter().filter(|child| child.parent_id == span.span_id) {
            self.render(child, indent + 2, text, line);
        }
    }
}

impl<'a> IntoIterator for &'a Spans {
    type Item = &'a Span;
    type IntoIter = std::slice::Iter<'a, Span>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn lines(spans: &Spans, span: &Span, indent: usize, text: &mut String) {
    let _ =
        writeln!(text, "{:indent$}{} {} {}", "", span.name, span.status, listed(&span.attributes));
    for event in &span.events {
        let _ = writeln!(text, "{:indent$}  * {} {}", "", event.name, listed(&event.attributes));
    }
    for link in &span.links {
        let name =
            spans.0.iter().find(|span| span.span_id == *link).map_or("…", |span| &span.name);
        let _ = writeln!(text, "{:indent$}  ~ {name}", "");
    }
}

fn listed(attributes: &BTreeMap<String, Value>) -> String {
    let items = attributes.iter().map(|(key, value)| match &**key {
        a::WORKFLOW_DURATION_MS | a::AGENT_DURATION_MS => format!("{key}=…"),
        a::WORKFLOW_RUN_ID | a::AGENT_RUN_ID if uuid::Uuid::try_parse(&value.as_str()).is_ok() => {
            format!("{key}=…")
        }
        _ => format!("{key}={value}"),
    });
    format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
}
