//! One trace as text: a line per span, children indented below their parent, in the order in which they began.

use crate::semconv::attribute as a;
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

/// Attributes that repeat what the line says already, or that nobody reads here.
const QUIET: &[&str] = &[
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
/// Attributes of an agent that its workflow's line has already.
const INHERITED: &[&str] = &[a::WORKFLOW_RUN_ID, a::WORKFLOW_ID];
/// How much of a value is shown.
const WIDTH: usize = 60;

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

/// The spans of one trace as text.
pub(crate) fn render(mut spans: Vec<SpanData>, colour: bool) -> String {
    spans.sort_by_key(|span| span.start_time);
    let known: HashSet<SpanId> = spans.iter().map(|span| span.span_context.span_id()).collect();
    let mut children: HashMap<SpanId, Vec<usize>> = HashMap::new();
    let mut roots = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        if known.contains(&span.parent_span_id)
            && span.parent_span_id != span.span_context.span_id()
        {
            children.entry(span.parent_span_id).or_default().push(at);
        } else {
            roots.push(at);
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
        roots.into_iter().rev().map(|at| (at, String::new(), String::new())).collect();
    // A stack and not recursion: a trace may be deeper than the thread's stack.
    while let Some((at, lead, indent)) = stack.pop() {
        let span = &spans[at];
        line(&mut text, &painter, span, &lead);
        let below =
            children.get(&span.span_context.span_id()).map(Vec::as_slice).unwrap_or_default();
        notes(
            &mut text,
            &painter,
            span,
            &format!("{indent}{}", if below.is_empty() { "   " } else { "│  " }),
        );
        for (nth, child) in below.iter().enumerate().rev() {
            let is_last = nth + 1 == below.len();
            let (branch, trunk) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            stack.push((*child, format!("{indent}{branch}"), format!("{indent}{trunk}")));
        }
    }
    text
}

fn line(text: &mut String, painter: &Painter, span: &SpanData, lead: &str) {
    let duration = span.end_time.duration_since(span.start_time).unwrap_or_default();
    let (status, code) = status(span);
    let inherited =
        !span.attributes.iter().any(|attribute| attribute.key.as_str() == a::WORKFLOW_TRIGGER);
    let attributes: Vec<_> = span
        .attributes
        .iter()
        .filter(|attribute| {
            let key = attribute.key.as_str();
            !(QUIET.contains(&key) || inherited && INHERITED.contains(&key))
        })
        .map(|attribute| {
            format!("{}={}", shown(attribute.key.as_str()), shown(&attribute.value.to_string()))
        })
        .collect();
    let _ = write!(
        text,
        "{}{}  {}",
        painter.paint(DIM, lead),
        painter.paint(BOLD, &shown(&span.name)),
        for_people(duration)
    );
    if !status.is_empty() {
        let _ = write!(text, "  {}", painter.paint(code, &status));
    }
    if !attributes.is_empty() {
        let _ = write!(text, "  {}", painter.paint(DIM, &attributes.join(" ")));
    }
    text.push('\n');
}

/// What happened inside: exceptions, retries and other events, one line each.
fn notes(text: &mut String, painter: &Painter, span: &SpanData, indent: &str) {
    for event in &span.events.events {
        let find = |key: &str| {
            event
                .attributes
                .iter()
                .find(|attribute| attribute.key.as_str() == key)
                .map(|found| found.value.to_string())
        };
        let note = match (find(a::EXCEPTION_TYPE), find(a::EXCEPTION_MESSAGE)) {
            (None, None) => {
                let details: Vec<_> = event
                    .attributes
                    .iter()
                    .map(|attribute| {
                        format!(
                            " {}={}",
                            shown(attribute.key.as_str()),
                            shown(&attribute.value.to_string())
                        )
                    })
                    .collect();
                painter.paint(YELLOW, &format!("· {}{}", shown(&event.name), details.concat()))
            }
            (kind, message) => {
                let message = message.unwrap_or_default();
                painter.paint(
                    RED,
                    &format!("! {}: {}", shown(&kind.unwrap_or_default()), shown(&message)),
                )
            }
        };
        let _ = writeln!(text, "{}{note}", painter.paint(DIM, indent));
    }
}

/// The unit's own status, else the span's.
fn status(span: &SpanData) -> (String, &'static str) {
    let own = [a::WORKFLOW_STATUS, a::AGENT_STATUS, a::WORKFLOW_APPROVAL_DECISION]
        .iter()
        .find_map(|key| span.attributes.iter().find(|attribute| attribute.key.as_str() == *key))
        .map(|attribute| attribute.value.to_string());
    match (&span.status, own) {
        (Status::Error { description }, own) => {
            let word = own.unwrap_or_else(|| "ERROR".to_owned());
            let text = if description.is_empty() {
                word
            } else {
                format!("{word}: {}", shown(description))
            };
            (text, RED)
        }
        (Status::Ok, own) => (own.unwrap_or_else(|| "OK".to_owned()), GREEN),
        (Status::Unset, own) => (own.unwrap_or_default(), YELLOW),
    }
}

/// A text as it may stand on a line of a terminal.
fn shown(text: &str) -> String {
    let mut short: String =
        text.chars().take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(WIDTH).is_some() {
        short.push('…');
    }
    short
}

fn for_people(duration: Duration) -> String {
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
