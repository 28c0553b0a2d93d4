//! Renders one trace: a line per span, children indented below their parent, ordered by start time.

use crate::semconv::gen_ai as g;
use crate::semconv::{SCOPE, attribute as a};
use opentelemetry::SpanId;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use opentelemetry_semantic_conventions::attribute as s;
use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

const DIM: &str = "\u{1b}[2m";
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const RESET: &str = "\u{1b}[0m";

/// Attributes that are not printed: they repeat the name, the status or the duration, or are of
/// little use on a console.
const HIDDEN: &[&str] = &[
    a::WORKFLOW_STATUS,
    a::WORKFLOW_DURATION_MS,
    a::AGENT_STATUS,
    a::AGENT_DURATION_MS,
    a::AGENT_RUN_ID,
    a::ERROR_MESSAGE,
    s::DB_QUERY_TEXT,
    s::NETWORK_PROTOCOL_NAME,
    s::NETWORK_PROTOCOL_VERSION,
    s::NETWORK_PEER_ADDRESS,
    s::NETWORK_PEER_PORT,
    s::CLIENT_ADDRESS,
    s::SERVER_ADDRESS,
    s::SERVER_PORT,
    s::URL_SCHEME,
    s::USER_AGENT_ORIGINAL,
];
/// Attributes of a unit that repeat its name, its id or its status.
const REPEATED: &[&str] = &[
    a::STATUS,
    g::OPERATION_NAME,
    g::WORKFLOW_NAME,
    g::AGENT_NAME,
    g::AGENT_ID,
    g::REQUEST_MODEL,
    g::TOOL_NAME,
    g::OPENINFERENCE_SPAN_KIND,
];
/// Attributes of an agent that its workflow's line contains.
const INHERITED: &[&str] = &[a::WORKFLOW_RUN_ID, a::WORKFLOW_ID];
/// The length limit of a printed value, in characters.
const MAX_VALUE_CHARS: usize = 60;

struct Painter {
    colour: bool,
}

impl Painter {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("{code}{text}{RESET}")
        } else {
            text.to_owned()
        }
    }
}

/// Renders the spans of one trace.
pub(crate) fn render_trace(mut spans: Vec<SpanData>, colour: bool) -> String {
    spans.sort_by_key(|span| span.start_time);
    let span_ids: HashSet<SpanId> = spans.iter().map(|span| span.span_context.span_id()).collect();
    let mut children: HashMap<SpanId, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        if span_ids.contains(&span.parent_span_id)
            && span.parent_span_id != span.span_context.span_id()
        {
            children.entry(span.parent_span_id).or_default().push(index);
        } else {
            roots.push(index);
        }
    }
    let painter = Painter { colour };
    let mut text = String::new();
    if let Some(first) = spans.first() {
        let _ = writeln!(
            text,
            "{}",
            painter.paint(DIM, &format!("trace {}", first.span_context.trace_id()))
        );
    }
    let mut stack: Vec<(usize, String, String)> =
        roots.into_iter().rev().map(|index| (index, String::new(), String::new())).collect();
    // No recursion: a trace may be deeper than the thread's stack.
    while let Some((index, lead, indent)) = stack.pop() {
        let span = &spans[index];
        write_span(&mut text, &painter, span, &lead);
        let span_children =
            children.get(&span.span_context.span_id()).map(Vec::as_slice).unwrap_or_default();
        write_events(
            &mut text,
            &painter,
            span,
            &format!("{indent}{}", if span_children.is_empty() { "   " } else { "│  " }),
        );
        for (position, child) in span_children.iter().enumerate().rev() {
            let is_last = position + 1 == span_children.len();
            let (branch, trunk) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            stack.push((*child, format!("{indent}{branch}"), format!("{indent}{trunk}")));
        }
    }
    text
}

fn write_span(text: &mut String, painter: &Painter, span: &SpanData, lead: &str) {
    let duration = span.end_time.duration_since(span.start_time).unwrap_or_default();
    let (status, code) = span_status(span);
    let is_unit = span.instrumentation_scope.name() == SCOPE;
    let is_child_unit =
        !span.attributes.iter().any(|attribute| attribute.key.as_str() == a::WORKFLOW_TRIGGER);
    let attributes: Vec<_> = span
        .attributes
        .iter()
        .filter(|attribute| {
            let key = attribute.key.as_str();
            !(HIDDEN.contains(&key)
                || is_unit && REPEATED.contains(&key)
                || is_child_unit && INHERITED.contains(&key))
        })
        .map(|attribute| {
            format!(
                "{}={}",
                printable(attribute.key.as_str()),
                printable(&attribute.value.to_string())
            )
        })
        .collect();
    let _ = write!(
        text,
        "{}{}  {}",
        painter.paint(DIM, lead),
        painter.paint(BOLD, &printable(&span.name)),
        format_duration(duration)
    );
    if !status.is_empty() {
        let _ = write!(text, "  {}", painter.paint(code, &status));
    }
    if !attributes.is_empty() {
        let _ = write!(text, "  {}", painter.paint(DIM, &attributes.join(" ")));
    }
    text.push('\n');
}

/// Writes the events of a span, one line each: exceptions, retries and others.
fn write_events(text: &mut String, painter: &Painter, span: &SpanData, indent: &str) {
    for event in &span.events.events {
        let find = |key: &str| {
            event
                .attributes
                .iter()
                .find(|attribute| attribute.key.as_str() == key)
                .map(|found| found.value.to_string())
        };
        let line = match (find(a::EXCEPTION_TYPE), find(a::EXCEPTION_MESSAGE)) {
            (None, None) => {
                let details: Vec<_> = event
                    .attributes
                    .iter()
                    .map(|attribute| {
                        format!(
                            " {}={}",
                            printable(attribute.key.as_str()),
                            printable(&attribute.value.to_string())
                        )
                    })
                    .collect();
                painter.paint(YELLOW, &format!("· {}{}", printable(&event.name), details.concat()))
            }
            (kind, message) => {
                let message = message.unwrap_or_default();
                painter.paint(
                    RED,
                    &format!("! {}: {}", printable(&kind.unwrap_or_default()), printable(&message)),
                )
            }
        };
        let _ = writeln!(text, "{}{line}", painter.paint(DIM, indent));
    }
}

/// Returns the status of the unit, or else of the span, and its color.
fn span_status(span: &SpanData) -> (String, &'static str) {
    let keys = [a::WORKFLOW_STATUS, a::AGENT_STATUS, a::STATUS, a::WORKFLOW_APPROVAL_DECISION];
    let unit_status = keys
        .iter()
        .find_map(|key| span.attributes.iter().find(|attribute| attribute.key.as_str() == *key))
        .map(|attribute| attribute.value.to_string());
    match (&span.status, unit_status) {
        (Status::Error { description }, unit_status) => {
            let name = unit_status.unwrap_or_else(|| "ERROR".to_owned());
            let status = if description.is_empty() {
                name
            } else {
                format!("{name}: {}", printable(description))
            };
            (status, RED)
        }
        (Status::Ok, unit_status) => (unit_status.unwrap_or_else(|| "OK".to_owned()), GREEN),
        (Status::Unset, unit_status) => (unit_status.unwrap_or_default(), YELLOW),
    }
}

/// Returns `text` on one line, without control characters, shortened to [`MAX_VALUE_CHARS`].
fn printable(text: &str) -> String {
    let mut shortened: String =
        text.chars().take(MAX_VALUE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_VALUE_CHARS).is_some() {
        shortened.push('…');
    }
    shortened
}

fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 60.0 {
        format!("{:.0} min {:.0} s", (seconds / 60.0).floor(), seconds % 60.0)
    } else if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 0.001 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}
