//! Received spans and log records, and lines on stderr, as text. Values that differ from run to run
//! are masked.

use hub_otel_tests::receiver::{Receiver, hex};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::HashMap;
use std::fmt::Write;

/// Longer texts are abbreviated.
const LONG_TEXT: usize = 60;
/// Longer lists are abbreviated.
const LONG_LIST: usize = 16;

/// Renders the spans in the order of their ends.
pub(super) fn render_spans(receiver: &Receiver) -> String {
    let spans = receiver.spans();
    let names: HashMap<Vec<u8>, String> = spans
        .iter()
        .enumerate()
        .map(|(index, span)| (span.span_id.clone(), format!("s{index}")))
        .collect();
    let mut traces = HashMap::new();
    let mut text = String::new();
    for span in &spans {
        let next = format!("t{}", traces.len());
        let trace = traces.entry(span.trace_id.clone()).or_insert(next).clone();
        render_span(&mut text, &span.item, &trace, &names);
    }
    text
}

fn render_span(text: &mut String, span: &Span, trace: &str, names: &HashMap<Vec<u8>, String>) {
    let name_of = |id: &[u8]| names.get(id).cloned().unwrap_or_else(|| hex(id));
    assert!(span.start_time_unix_nano > 0 && span.end_time_unix_nano >= span.start_time_unix_nano);
    let _ = writeln!(
        text,
        "{} {} in {trace}, parent `{}`, kind {}, flags {:#x}, state `{}`",
        name_of(&span.span_id),
        shorten(&span.name),
        name_of(&span.parent_span_id),
        span.kind,
        span.flags,
        span.trace_state
    );
    render_attributes(text, "  ", &span.attributes, span.dropped_attributes_count);
    render_list(text, &span.events, span.dropped_events_count, "events", |text, event| {
        let at = match event.time_unix_nano {
            0 => "at zero",
            at if at == span.end_time_unix_nano => "at the end",
            _ => "at some time",
        };
        let _ = writeln!(text, "  event {} {at}", shorten(&event.name));
        render_attributes(text, "    ", &event.attributes, event.dropped_attributes_count);
    });
    render_list(text, &span.links, span.dropped_links_count, "links", |text, link| {
        let (id, flags, state) = (name_of(&link.span_id), link.flags, &link.trace_state);
        let _ = writeln!(text, "  link {id}, flags {flags:#x}, state `{state}`");
        render_attributes(text, "    ", &link.attributes, link.dropped_attributes_count);
    });
    let status = span.status.as_ref().expect("a status");
    let _ = writeln!(text, "  status {} `{}`", status.code, shorten(&status.message));
}

fn render_attributes(text: &mut String, indent: &str, attributes: &[KeyValue], dropped: u32) {
    render_list(text, attributes, dropped, "attributes", |text, attribute| {
        let key = &attribute.key;
        let value = attribute.value.as_ref().map_or_else(String::new, render_value);
        let is_masked = key.ends_with(".duration.ms")
            || key.ends_with("run.id") && value.len() == 38 && value.matches('-').count() == 4;
        let value = if is_masked { "…" } else { &value };
        let _ = writeln!(text, "{indent}{} = {value}", shorten(key));
    });
}

/// Renders the items, those in the middle of a long list only by their number.
fn render_list<T>(
    text: &mut String,
    items: &[T],
    dropped: u32,
    name: &str,
    render: impl Fn(&mut String, &T),
) {
    let hidden = items.len().saturating_sub(LONG_LIST);
    for (index, item) in items.iter().enumerate() {
        if index < LONG_LIST / 2 || index >= LONG_LIST / 2 + hidden {
            render(text, item);
        } else if index == LONG_LIST / 2 {
            let _ = writeln!(text, "  … {hidden} {name} …");
        }
    }
    if dropped > 0 {
        let _ = writeln!(text, "  {dropped} {name} dropped");
    }
}

fn render_value(value: &AnyValue) -> String {
    match &value.value {
        Some(any_value::Value::StringValue(text)) => format!("{:?}", shorten(text)),
        Some(any_value::Value::IntValue(value)) => value.to_string(),
        Some(any_value::Value::DoubleValue(value)) => format!("{value:?}"),
        Some(any_value::Value::BoolValue(value)) => value.to_string(),
        Some(any_value::Value::ArrayValue(array)) => {
            let values: Vec<_> = array.values.iter().map(render_value).collect();
            format!("[{}]", values.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn shorten(text: &str) -> String {
    let characters = text.chars().count();
    if characters <= LONG_TEXT {
        return text.to_owned();
    }
    let begin: String = text.chars().take(LONG_TEXT / 2).collect();
    format!("{begin}… ({} bytes)", text.len())
}

/// Renders the log records in their order.
pub(super) fn render_logs(receiver: &Receiver) -> String {
    let spans = receiver.spans();
    let mut text = String::new();
    for log in receiver.logs() {
        let span = spans.iter().position(|span| span.span_id == log.span_id);
        let span = span.expect("the span of a unit");
        assert!(log.observed_time_unix_nano > 0);
        let has_time = log.time_unix_nano > 0;
        let body = log.body.as_ref().map_or_else(String::new, render_value);
        let _ = writeln!(
            text,
            "{} {}, body {body}, event `{}`, scope `{}`, span s{span}, flags {:#x}, time {has_time}",
            log.severity_text, log.severity_number, log.event_name, log.scope.name, log.flags
        );
        render_attributes(&mut text, "  ", &log.attributes, log.dropped_attributes_count);
    }
    text
}

/// Renders the lines of units on stderr without their times.
pub(super) fn render_lines(stderr: &str) -> String {
    let mut text = String::new();
    for line in stderr.lines() {
        // `2026-11-28T14:00:00.000000Z  INFO hub_otel: …`
        let Some((time, rest)) = line.split_once("Z ") else { continue };
        if !rest.contains("hub_otel:") || time.len() != "2026-11-28T14:00:00.000000".len() {
            continue;
        }
        let words = rest.split(' ').map(|word| match word.split_once('=') {
            Some((key, value)) if key.ends_with("run.id") && value.matches('-').count() == 4 => {
                format!("{key}=…")
            }
            _ if word.len() > LONG_TEXT => shorten(word),
            _ => word.to_owned(),
        });
        let _ = writeln!(text, "{}", words.collect::<Vec<_>>().join(" "));
    }
    text
}
