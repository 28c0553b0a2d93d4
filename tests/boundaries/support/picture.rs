//! Spans and series as text. What differs from run to run (ports, times, ids) is left out or masked.

use opentelemetry::trace::{SpanId, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::trace::SpanData;

/// One series: its labels, and what it says.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) metric: String,
    pub(crate) labels: Vec<String>,
    pub(crate) line: String,
    pub(crate) value: i64,
}

/// The spans as a tree, siblings sorted by their text; `keep` picks the attributes.
pub(crate) fn tree(spans: &[SpanData], keep: impl Fn(&str) -> bool + Copy) -> String {
    let is_root =
        |span: &&SpanData| !spans.iter().any(|other| other.span_context.span_id() == span.parent_span_id);
    let mut out = String::new();
    branch(spans, spans.iter().filter(is_root).collect(), 0, keep, &mut out);
    out
}

fn branch(
    spans: &[SpanData],
    level: Vec<&SpanData>,
    depth: usize,
    keep: impl Fn(&str) -> bool + Copy,
    out: &mut String,
) {
    let mut lines: Vec<(String, SpanId)> =
        level.into_iter().map(|span| (line(span, keep), span.span_context.span_id())).collect();
    lines.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (line, id) in lines {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&line);
        out.push('\n');
        let children = spans.iter().filter(|span| span.parent_span_id == id).collect();
        branch(spans, children, depth + 1, keep, out);
    }
}

fn line(span: &SpanData, keep: impl Fn(&str) -> bool) -> String {
    let mut words = vec![format!("{:?}", span.span_kind).to_uppercase(), span.name.to_string()];
    let mut attributes: Vec<String> =
        span.attributes.iter().filter(|attribute| keep(attribute.key.as_str())).map(pair).collect();
    attributes.sort();
    words.extend(attributes);
    match &span.status {
        Status::Unset => {}
        Status::Ok => words.push("OK".into()),
        Status::Error { description } if description.is_empty() => words.push("ERROR".into()),
        Status::Error { description } => words.push(format!("ERROR({description})")),
    }
    words.join(" ")
}

/// `key=value`; ports are masked wherever they stand.
fn pair(attribute: &KeyValue) -> String {
    let key = attribute.key.as_str();
    let value = match &attribute.value {
        Value::I64(_) if key.ends_with(".port") => "<port>".to_owned(),
        Value::Array(Array::String(texts)) => {
            format!("{:?}", texts.iter().map(|text| text.as_str()).collect::<Vec<_>>())
        }
        value => value.as_str().into_owned(),
    };
    format!("{key}={}", mask_port(&value))
}

fn mask_port(value: &str) -> String {
    let Some((before, after)) = value.split_once("127.0.0.1:") else { return value.to_owned() };
    format!("{before}127.0.0.1:<port>{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
}

/// Every series: counters and levels by their sum, histograms by their count.
pub(crate) fn series(metrics: &ResourceMetrics) -> Vec<Series> {
    let mut all = Vec::new();
    for metric in metrics.scope_metrics().flat_map(|scope| scope.metrics()) {
        let name = metric.name();
        let mut add = |attributes: &mut dyn Iterator<Item = &KeyValue>, value: i64| {
            let attributes: Vec<&KeyValue> = attributes.collect();
            let mut pairs: Vec<String> = attributes.iter().map(|attribute| pair(attribute)).collect();
            pairs.sort();
            all.push(Series {
                metric: name.to_owned(),
                labels: attributes.iter().map(|attribute| attribute.key.to_string()).collect(),
                line: format!("{name} {} | {value}", pairs.join(" ")),
                value,
            });
        };
        match metric.data() {
            AggregatedMetrics::F64(MetricData::Histogram(data)) => data.data_points().for_each(|point| {
                add(&mut point.attributes(), i64::try_from(point.count()).unwrap_or(i64::MAX))
            }),
            AggregatedMetrics::I64(MetricData::Sum(data)) => {
                data.data_points().for_each(|point| add(&mut point.attributes(), point.value()));
            }
            AggregatedMetrics::U64(MetricData::Sum(data)) => data.data_points().for_each(|point| {
                add(&mut point.attributes(), i64::try_from(point.value()).unwrap_or(i64::MAX))
            }),
            _ => {}
        }
    }
    all.sort_by(|a, b| a.line.cmp(&b.line));
    all
}
