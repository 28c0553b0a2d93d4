//! Received traces as text: one indented tree per trace.

use hub_otel_tests::receiver::{Receiver, int, text};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A received span.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) trace: Vec<u8>,
    pub(crate) id: Vec<u8>,
    pub(crate) parent: Vec<u8>,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) start_ms: i64,
    pub(crate) order: u64,
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) ints: BTreeMap<String, i64>,
    pub(crate) links: Vec<Vec<u8>>,
    /// 0 unset, 1 ok, 2 error.
    pub(crate) status: i32,
    pub(crate) events: Vec<String>,
}

/// The received spans, without duplicates.
pub(crate) fn spans(receiver: &Receiver) -> Vec<Seen> {
    let mut spans = BTreeMap::new();
    for span in receiver.spans() {
        let keys = || span.attributes.iter().map(|pair| pair.key.clone());
        let seen = Seen {
            trace: span.trace_id.clone(),
            id: span.span_id.clone(),
            parent: span.parent_span_id.clone(),
            name: span.name.clone(),
            kind: span.kind,
            start_ms: i64::try_from(span.start_time_unix_nano / 1_000_000).unwrap(),
            order: span.start_time_unix_nano,
            texts: keys()
                .filter_map(|key| Some((key.clone(), text(&span.attributes, &key)?.to_owned())))
                .collect(),
            ints: keys()
                .filter_map(|key| Some((key.clone(), int(&span.attributes, &key)?)))
                .collect(),
            links: span.links.iter().map(|link| link.span_id.clone()).collect(),
            status: span.status.as_ref().map_or(0, |status| status.code),
            events: span.events.iter().map(|event| event.name.clone()).collect(),
        };
        spans.insert(seen.id.clone(), seen);
    }
    spans.into_values().collect()
}

impl Seen {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.texts.get(key).map_or("", String::as_str)
    }

    fn line(&self, all: &[Self]) -> String {
        let mut line = match self.name.as_str() {
            "workflow.execute" => {
                format!(
                    "{} {} {}",
                    self.name,
                    self.text("workflow.id"),
                    self.text("workflow.status")
                )
            }
            "agent.execute" => format!(
                "{} {}.{} {}",
                self.name,
                self.text("agent.id"),
                self.text("agent.action"),
                self.text("agent.status")
            ),
            "workflow.approval" => {
                format!("{} {}", self.name, self.text("workflow.approval.decision"))
            }
            _ => match (self.ints.get("http.response.status_code"), self.text("error.type")) {
                (Some(code), _) => format!("{} {code}", self.name),
                (None, "") => self.name.clone(),
                (None, error) => format!("{} {error}", self.name),
            },
        };
        for event in self.events.iter().filter(|event| *event != "exception") {
            let _ = write!(line, " ({event})");
        }
        for link in &self.links {
            let name = all.iter().find(|span| span.id == *link).map_or("?", |span| &span.name);
            let _ = write!(line, " -> {name}");
        }
        line
    }
}

/// Renders the traces of a run, oldest first, optionally with database spans.
pub(crate) fn render_run(receiver: &Receiver, run: &str, database: bool) -> String {
    let spans = spans(receiver);
    let mut traces: Vec<_> = spans
        .iter()
        .filter(|span| span.text("workflow.run.id") == run)
        .map(|span| {
            (
                spans.iter().filter(|s| s.trace == span.trace).map(|s| s.order).min(),
                span.trace.clone(),
            )
        })
        .collect();
    traces.sort();
    traces.dedup();
    let mut text = String::new();
    for (_, trace) in traces {
        let mut shown: Vec<_> = spans
            .iter()
            .filter(|span| {
                span.trace == trace && (database || !span.texts.contains_key("db.system.name"))
            })
            .collect();
        shown.sort_by_key(|span| span.order);
        let roots: Vec<_> = shown
            .iter()
            .filter(|span| !shown.iter().any(|other| other.id == span.parent))
            .copied()
            .collect();
        for root in roots {
            render_span(&mut text, root, &shown, &spans, 0);
        }
    }
    text
}

fn render_span(text: &mut String, span: &Seen, shown: &[&Seen], all: &[Seen], depth: usize) {
    let _ = writeln!(text, "{:indent$}{}", "", span.line(all), indent = depth * 2);
    for child in shown.iter().filter(|child| child.parent == span.id) {
        render_span(text, child, shown, all, depth + 1);
    }
}
