//! Telemetry of a scenario as text: each span with its kind, attributes, status and events, and
//! each series with its value. Values that differ between runs are omitted: ids, times and
//! durations.

use crate::{scenario, sdk};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use opentelemetry_sdk::trace::SpanData;
use std::fmt::{Debug, Write};

/// Runs `units` units of the scenario `name` and returns the emitted telemetry. Call it once per
/// process, because some scenarios install global providers.
pub fn of(name: &str, units: usize) -> String {
    let (kept, reader) = (sdk::Keep::default(), sdk::Reader::default());
    let (traces, metrics) =
        (sdk::traces(scenario::is_sampled(name), kept.clone()), sdk::metrics(reader.clone()));
    (0..units).for_each(scenario::prepare_into(name, &traces, &metrics));
    let mut text = String::new();
    for span in kept.take() {
        write_span(&mut text, &span);
    }
    write_metrics(&mut text, &reader.collect());
    text
}

fn write_span(text: &mut String, span: &SpanData) {
    let scope = span.instrumentation_scope.name();
    let _ = writeln!(text, "{scope}: span {} {:?} {:?}", span.name, span.span_kind, span.status);
    attributes(text, &span.attributes);
    for event in &span.events.events {
        let _ = writeln!(text, "  event {}", event.name);
        attributes(text, &event.attributes);
    }
    let dropped = (span.dropped_attributes_count, span.events.dropped_count, span.links.len());
    let _ = writeln!(text, "  dropped attributes, dropped events, links: {dropped:?}");
    assert!(span.end_time >= span.start_time);
}

fn attributes(text: &mut String, list: &[KeyValue]) {
    let mut lines: Vec<_> =
        list.iter().map(|found| format!("    {} = {}", found.key, value(found))).collect();
    lines.sort();
    lines.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
}

/// Renders a value such that strings and numbers differ: `"1"` and `1`.
fn value(attribute: &KeyValue) -> String {
    match &attribute.value {
        Value::I64(_) if attribute.key.as_str().ends_with(".duration.ms") => "a number".to_owned(),
        Value::String(text) => format!("{:?}", text.as_str()),
        other => format!("{other:?}"),
    }
}

fn write_metrics(text: &mut String, collected: &ResourceMetrics) {
    let mut lines = Vec::new();
    for scope in collected.scope_metrics() {
        for metric in scope.metrics() {
            let about = format!(
                "{}: metric {} [{}] {:?}",
                scope.scope().name(),
                metric.name(),
                metric.unit(),
                metric.description()
            );
            match metric.data() {
                AggregatedMetrics::U64(data) => points(&mut lines, &about, data),
                AggregatedMetrics::I64(data) => points(&mut lines, &about, data),
                AggregatedMetrics::F64(data) => points(&mut lines, &about, data),
            }
        }
    }
    lines.sort();
    lines.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
}

fn points<T: Copy + Debug>(lines: &mut Vec<String>, about: &str, data: &MetricData<T>) {
    match data {
        MetricData::Sum(sum) => {
            for point in sum.data_points() {
                let (of, value) = (labels(point.attributes()), point.value());
                lines.push(format!("{about} monotonic={} {of} {value:?}", sum.is_monotonic()));
            }
        }
        MetricData::Histogram(histogram) => {
            for point in histogram.data_points() {
                let (of, count) = (labels(point.attributes()), point.count());
                let bounds: Vec<f64> = point.bounds().collect();
                lines.push(format!("{about} {bounds:?} {of} count={count}"));
            }
        }
        MetricData::Gauge(_) | MetricData::ExponentialHistogram(_) => {
            lines.push(format!("{about}: unexpected"))
        }
    }
}

fn labels<'a>(list: impl Iterator<Item = &'a KeyValue>) -> String {
    let mut labels: Vec<_> = list.map(|label| format!("{}={}", label.key, value(label))).collect();
    labels.sort();
    format!("{{{}}}", labels.join(", "))
}
