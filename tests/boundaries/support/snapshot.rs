//! Spans and series as text: one line each, with ports masked, so that a test can compare a whole
//! table.

use hub_otel::testing::{Series, Span, Spans, Value};

/// The spans as a tree, siblings sorted by their text; `keep` picks the attributes.
pub(crate) fn tree(spans: &Spans, keep: impl Fn(&str) -> bool + Copy) -> String {
    let is_here = |id: &str| spans.iter().any(|span| span.span_id == id);
    let roots = spans.iter().filter(|span| !is_here(&span.parent_id)).collect();
    let mut out = String::new();
    branch(spans, roots, 0, keep, &mut out);
    out
}

fn branch(
    spans: &Spans,
    level: Vec<&Span>,
    depth: usize,
    keep: impl Fn(&str) -> bool + Copy,
    out: &mut String,
) {
    let mut lines: Vec<(String, &str)> =
        level.into_iter().map(|span| (line(span, keep), span.span_id.as_str())).collect();
    lines.sort();
    for (line, id) in lines {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&line);
        out.push('\n');
        let children = spans.iter().filter(|span| span.parent_id == id).collect();
        branch(spans, children, depth + 1, keep, out);
    }
}

fn line(span: &Span, keep: impl Fn(&str) -> bool) -> String {
    let mut words = vec![span.kind.to_uppercase(), span.name.clone()];
    let kept = span.attributes.iter().filter(|(key, _)| keep(key));
    words.extend(kept.map(|(key, value)| pair(key, &text(key, value))));
    match span.status.as_str() {
        "Unset" => {}
        "Error: " => words.push("ERROR".into()),
        other => words.push(other.to_owned()),
    }
    words.join(" ")
}

fn text(key: &str, value: &Value) -> String {
    match value {
        Value::Int(_) if key.ends_with(".port") => "<port>".to_owned(),
        value => value.to_string(),
    }
}

/// `key=value`; ports are masked wherever they stand.
fn pair(key: &str, value: &str) -> String {
    if key.ends_with(".port") {
        return format!("{key}=<port>");
    }
    match value.split_once("127.0.0.1:") {
        None => format!("{key}={value}"),
        Some((before, after)) => {
            let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{key}={before}127.0.0.1:<port>{rest}")
        }
    }
}

/// One series as `metric label=value … | value`: of a histogram how often it was recorded into.
pub(crate) fn series(series: &Series) -> String {
    let labels: Vec<String> = series.labels.iter().map(|(key, value)| pair(key, value)).collect();
    format!("{} {} | {}", series.name, labels.join(" "), series.value)
}
