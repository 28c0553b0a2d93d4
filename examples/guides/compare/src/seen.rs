//! An exported span, independent of the version of OpenTelemetry.

use crate::{Case, Kind};
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// An exported span.
#[derive(Debug)]
pub struct Seen {
    pub name: String,
    pub id: String,
    pub parent: String,
    pub trace: String,
    /// `Unset`, `Ok` or `Error`.
    pub status: String,
    pub attributes: HashMap<String, String>,
    pub start: SystemTime,
    pub end: SystemTime,
}

/// Turns a span of any version of the SDK into a [`Seen`].
#[macro_export]
macro_rules! seen {
    ($span:expr) => {{
        let span = $span;
        $crate::Seen {
            name: span.name.to_string(),
            id: span.span_context.span_id().to_string(),
            parent: span.parent_span_id.to_string(),
            trace: span.span_context.trace_id().to_string(),
            status: format!("{:?}", span.status)
                .chars()
                .take_while(char::is_ascii_alphabetic)
                .collect(),
            attributes: span
                .attributes
                .iter()
                .map(|entry| {
                    let is_text = format!("{:?}", entry.value).starts_with("String");
                    let is_number = entry.value.as_str().parse::<f64>().is_ok();
                    let note = if is_text && is_number { " (text)" } else { "" };
                    (entry.key.to_string(), format!("{}{note}", entry.value))
                })
                .collect(),
            start: span.start_time,
            end: span.end_time,
        }
    }};
}

impl Seen {
    fn duration(&self) -> Duration {
        self.end.duration_since(self.start).unwrap_or_default()
    }

    /// Name, and the facts of the table.
    fn describe(&self) -> String {
        let mut text = self.name.clone();
        for (key, value) in [
            ("tokens", self.attributes.get("gen_ai.usage.input_tokens")),
            ("cost", self.attributes.iter().find(|(key, _)| key.contains("cost")).map(|(_, v)| v)),
            ("outcome", self.outcome()),
            ("run", self.attributes.get("workflow.run.id").map(|_| &self.name)),
        ] {
            match (key, value) {
                (_, None) => {}
                ("run", Some(_)) => text.push_str(" with the run's id"),
                (key, Some(value)) => text.push_str(&format!(" {key}={value}")),
            }
        }
        match self.status.as_str() {
            "Unset" => {}
            status => text.push_str(&format!(" {status}")),
        }
        text
    }

    fn outcome(&self) -> Option<&String> {
        let keys = ["agent.status", "workflow.status", "hub_otel.status", "error.type"];
        keys.iter().find_map(|key| self.attributes.get(*key))
    }
}

/// Prints the spans of a case as a tree, siblings by start.
pub fn print(case: &Case, spans: &mut [Seen]) {
    spans.sort_by_key(|span| span.start);
    let traces: std::collections::HashSet<_> = spans.iter().map(|span| &span.trace).collect();
    println!("{} {}: {} trace(s)", case.framework, case.kind.name(), traces.len());
    let is_root = |span: &Seen| !spans.iter().any(|other| other.id == span.parent);
    for root in spans.iter().filter(|span| is_root(span)) {
        print_below(spans, root, 1, case.kind);
    }
}

fn print_below(spans: &[Seen], span: &Seen, depth: usize, kind: Kind) {
    let until = match kind {
        Kind::Stream if span.duration() >= crate::calls::STREAM => " until the end of the stream",
        Kind::Stream => " ends before the stream",
        _ => "",
    };
    println!("{:indent$}{}{until}", "", span.describe(), indent = 2 * depth);
    for child in spans.iter().filter(|child| child.parent == span.id) {
        print_below(spans, child, depth + 1, kind);
    }
}
