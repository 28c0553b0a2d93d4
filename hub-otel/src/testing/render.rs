//! Collections of captured spans: selection, and rendering as an indented tree.

use crate::semconv::{attribute as a, gen_ai};
use crate::testing::span::{Span, Value};
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt::Write;

/// Ended spans of one or more traces, in the order in which they started.
///
/// [`tree`](Self::tree) renders them as text; the other methods select what it shows. Real runs
/// contain values that differ from run to run: hide them with [`mask`](Self::mask), and use
/// [`sorted`](Self::sorted) where work runs in no fixed order.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let capture = hub_otel::testing::capture();
/// let agents = async {
///     hub_otel::agent("writer", "write").field("port", 40_123).run(async {}).await;
///     hub_otel::agent("reader", "read").field("port", 40_124).run(async {}).await;
/// };
/// hub_otel::workflow("nightly").run(agents).await;
/// let spans = capture
///     .spans()
///     .keep_attributes(|key| matches!(key, "workflow.id" | "agent.id" | "port"))
///     .filter(|span| span.name != "db.query")
///     .mask(|key, _| (key == "port").then(|| "<port>".to_owned()))
///     .sorted();
/// let expected = "
/// workflow.execute Ok
///   - workflow.id=nightly
///   agent.execute Ok
///     - agent.id=reader
///     - port=<port>
///     - workflow.id=nightly
///   agent.execute Ok
///     - agent.id=writer
///     - port=<port>
///     - workflow.id=nightly
/// ";
/// assert_eq!(spans.tree(), expected.trim_start());
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Spans(Vec<Span>);

impl Spans {
    /// Returns all spans.
    pub fn iter(&self) -> std::slice::Iter<'_, Span> {
        self.0.iter()
    }

    /// Returns the spans with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<&Span> {
        self.0.iter().filter(|span| span.name == name).collect()
    }

    /// Returns the number of spans.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there are no spans.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the spans for which `keep` returns `true`. Children of a removed span move to its
    /// closest ancestor that is kept.
    #[must_use]
    pub fn filter(self, keep: impl Fn(&Span) -> bool) -> Self {
        let (mut kept, removed): (Vec<_>, Vec<_>) = self.0.into_iter().partition(keep);
        let parent_of_removed: HashMap<String, String> =
            removed.into_iter().map(|span| (span.span_id, span.parent_id)).collect();
        for span in &mut kept {
            // Bounded, in case that parents form a circle.
            for _ in 0..parent_of_removed.len() {
                let Some(parent_id) = parent_of_removed.get(&span.parent_id) else { break };
                span.parent_id.clone_from(parent_id);
            }
        }
        Self(kept)
    }

    /// Keeps the attributes, also those of events, for whose key `keep` returns `true`.
    #[must_use]
    pub fn keep_attributes(mut self, keep: impl Fn(&str) -> bool) -> Self {
        for attributes in self.attribute_maps() {
            attributes.retain(|key, _| keep(key));
        }
        self
    }

    /// Replaces the value of every attribute, also those of events, for which `mask` returns a
    /// text.
    #[must_use]
    pub fn mask(mut self, mask: impl Fn(&str, &Value) -> Option<String>) -> Self {
        for attributes in self.attribute_maps() {
            for (key, value) in attributes {
                if let Some(text) = mask(key, value) {
                    *value = Value::String(text);
                }
            }
        }
        self
    }

    fn attribute_maps(&mut self) -> impl Iterator<Item = &mut BTreeMap<String, Value>> {
        self.0.iter_mut().flat_map(|span| {
            let events = span.events.iter_mut().map(|event| &mut event.attributes);
            std::iter::once(&mut span.attributes).chain(events)
        })
    }

    /// Orders siblings, and roots, by their text in [`tree`](Self::tree) instead of by start time.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let mut keys: Vec<String> = self.0.iter().map(|span| self.describe(span)).collect();
        let tree = SpanTree::new(&self.0);
        // Children come after their parent in the walk: their keys are complete when it is their
        // parent's turn.
        for (_, index) in tree.walk().into_iter().rev() {
            let mut below: Vec<&str> =
                tree.children[index].iter().map(|child| keys[*child].as_str()).collect();
            below.sort_unstable();
            let below = below.concat();
            keys[index].push_str(&below);
        }
        let mut keyed: Vec<(String, Span)> = keys.into_iter().zip(self.0).collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.0 = keyed.into_iter().map(|(_, span)| span).collect();
        self
    }

    /// Renders every trace as a tree: name, kind unless internal, and status of a span on one line,
    /// below it its attributes (`-`), events (`*`) and links (`~`), then its children, indented.
    ///
    /// Unit durations and generated run ids are rendered as `…`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let capture = hub_otel::testing::capture();
    /// hub_otel::workflow("nightly").run(async {}).await;
    /// let expected = "
    /// workflow.execute Ok
    ///   - workflow.duration.ms=…
    ///   - workflow.id=nightly
    ///   - workflow.name=nightly
    ///   - workflow.run.id=…
    ///   - workflow.status=SUCCESS
    ///   - workflow.trigger=manual
    /// ";
    /// assert_eq!(capture.spans().tree(), expected.trim_start());
    /// # }
    /// ```
    #[must_use]
    pub fn tree(&self) -> String {
        self.render(|span| self.describe(span))
    }

    /// Renders every trace as a tree of span names.
    #[must_use]
    pub fn names(&self) -> String {
        self.render(|span| span.name.clone())
    }

    /// Renders every trace as a tree with the lines that `describe` returns for a span.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let capture = hub_otel::testing::capture();
    /// hub_otel::workflow("nightly").run(hub_otel::agent("scanner", "scan").run(async {})).await;
    /// let line = |span: &hub_otel::testing::Span| format!("{} {}", span.name, span.status);
    /// assert_eq!(capture.spans().render(line), "workflow.execute Ok\n  agent.execute Ok\n");
    /// # }
    /// ```
    #[must_use]
    pub fn render(&self, describe: impl Fn(&Span) -> String) -> String {
        let mut text = String::new();
        for (depth, index) in SpanTree::new(&self.0).walk() {
            for line in describe(&self.0[index]).lines() {
                let _ = writeln!(text, "{:indent$}{line}", "", indent = 2 * depth);
            }
        }
        text
    }

    /// Lines of a span in [`tree`](Self::tree).
    fn describe(&self, span: &Span) -> String {
        let kind =
            if span.kind == "Internal" { String::new() } else { format!(" ({})", span.kind) };
        let mut text = format!("{}{kind} {}\n", span.name, span.status);
        write_attributes(&mut text, "  ", &span.attributes);
        for event in &span.events {
            let _ = writeln!(text, "  * {}", event.name);
            write_attributes(&mut text, "    ", &event.attributes);
        }
        for link in &span.links {
            let linked = self.0.iter().find(|span| span.span_id == *link);
            let _ = writeln!(text, "  ~ {}", linked.map_or("…", |span| &span.name));
        }
        text
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<T: IntoIterator<Item = Span>>(spans: T) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().collect();
        spans.sort_by_key(|span| span.start);
        Self(spans)
    }
}

impl<'a> IntoIterator for &'a Spans {
    type Item = &'a Span;
    type IntoIter = std::slice::Iter<'a, Span>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn write_attributes(text: &mut String, indent: &str, attributes: &BTreeMap<String, Value>) {
    for (key, value) in attributes {
        // A line break would look like another span.
        let value = value.to_string().replace('\n', "\\n");
        let shown = if varies_between_runs(key, &value) { "…" } else { &value };
        let _ = writeln!(text, "{indent}- {key}={shown}");
    }
}

fn varies_between_runs(key: &str, value: &str) -> bool {
    match key {
        a::WORKFLOW_DURATION_MS
        | a::AGENT_DURATION_MS
        | a::STREAM_FIRST_ITEM_MS
        | gen_ai::RESPONSE_TIME_TO_FIRST_CHUNK => true,
        a::WORKFLOW_RUN_ID | a::AGENT_RUN_ID => uuid::Uuid::try_parse(value).is_ok(),
        _ => false,
    }
}

/// Parent–child relation of spans, by their position in a slice.
struct SpanTree {
    /// Spans whose parent is not in the slice.
    roots: Vec<usize>,
    children: Vec<Vec<usize>>,
}

impl SpanTree {
    fn new(spans: &[Span]) -> Self {
        let index_of: HashMap<&str, usize> =
            spans.iter().enumerate().map(|(index, span)| (span.span_id.as_str(), index)).collect();
        let mut tree = Self { roots: Vec::new(), children: vec![Vec::new(); spans.len()] };
        for (index, span) in spans.iter().enumerate() {
            match index_of.get(span.parent_id.as_str()) {
                Some(parent) if !span.parent_id.is_empty() => tree.children[*parent].push(index),
                _ => tree.roots.push(index),
            }
        }
        tree
    }

    /// Depth and position of every span, parents before their children.
    fn walk(&self) -> Vec<(usize, usize)> {
        let mut visited = Vec::with_capacity(self.children.len());
        // A stack instead of recursion: a trace can be deeper than the stack of the thread.
        let mut pending: Vec<(usize, usize)> =
            self.roots.iter().rev().map(|root| (0, *root)).collect();
        while let Some((depth, index)) = pending.pop() {
            visited.push((depth, index));
            pending.extend(self.children[index].iter().rev().map(|child| (depth + 1, *child)));
        }
        visited
    }
}
