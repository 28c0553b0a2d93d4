//! Spans and series as lines of text with masked ports, by the renderer of the test kit.

use hub_otel::testing::{Series, Span, Spans, Value};

/// Renders the spans as a tree with sorted siblings. `keep` selects the attributes.
pub(crate) fn tree(spans: Spans, keep: impl Fn(&str) -> bool) -> String {
    let mask = |key: &str, value: &Value| Some(mask_ports(key, &value.to_string()));
    spans.keep_attributes(keep).mask(mask).sorted().render(line)
}

/// Renders a span as `KIND name key=value … ERROR`.
fn line(span: &Span) -> String {
    let mut words = vec![span.kind.to_uppercase(), span.name.clone()];
    words.extend(span.attributes.iter().map(|(key, value)| format!("{key}={value}")));
    match span.status.as_str() {
        "Unset" => {}
        "Error: " => words.push("ERROR".into()),
        other => words.push(other.to_owned()),
    }
    words.join(" ")
}

/// Replaces ports, which differ per run, by `<port>`.
fn mask_ports(key: &str, value: &str) -> String {
    if key.ends_with(".port") {
        return "<port>".to_owned();
    }
    match value.split_once("127.0.0.1:") {
        None => value.to_owned(),
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}127.0.0.1:<port>{rest}")
        }
    }
}

/// Renders a series as `metric label=value … | value`; the value of a histogram is its count.
pub(crate) fn series(series: &Series) -> String {
    let labels: Vec<String> = series
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={}", mask_ports(key, value)))
        .collect();
    format!("{} {} | {}", series.name, labels.join(" "), series.value)
}
