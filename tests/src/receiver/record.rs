//! Received requests and their items.

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::ExportLogsServiceRequest, metrics::v1::ExportMetricsServiceRequest,
        trace::v1::ExportTraceServiceRequest,
    },
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    logs::v1::LogRecord,
    metrics::v1::{Metric, NumberDataPoint, metric::Data, number_data_point},
    resource::v1::Resource,
    trace::v1::Span,
};
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// One of the three signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric points.
    Metrics,
    /// Log records.
    Logs,
}

impl Signal {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];
}

/// Protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    HttpProtobuf,
    /// OTLP/HTTP with JSON.
    HttpJson,
}

/// Message of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Spans.
    Traces(ExportTraceServiceRequest),
    /// Metric points.
    Metrics(ExportMetricsServiceRequest),
    /// Log records.
    Logs(ExportLogsServiceRequest),
}

impl Payload {
    pub(super) fn signal(&self) -> Signal {
        match self {
            Self::Traces(_) => Signal::Traces,
            Self::Metrics(_) => Signal::Metrics,
            Self::Logs(_) => Signal::Logs,
        }
    }
}

/// A complete request.
#[derive(Debug, Clone)]
pub struct Request {
    /// Signal.
    pub signal: Signal,
    /// Protocol.
    pub protocol: Protocol,
    /// Headers, or gRPC metadata; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Number of the connection, from 0.
    pub connection: u64,
    /// Time of the last byte.
    pub at: Instant,
    /// Message.
    pub payload: Payload,
    /// True if the items were stored.
    pub stored: bool,
}

impl Request {
    /// Returns the first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the number of items (spans, log records, metric points).
    pub fn items(&self) -> u64 {
        let count = match &self.payload {
            Payload::Traces(request) => spans_of(request).count(),
            Payload::Logs(request) => logs_of(request).count(),
            Payload::Metrics(request) => metrics_of(request).map(|item| points(item.item)).sum(),
        };
        count as u64
    }
}

/// A span, log record or metric with its resource and scope.
#[derive(Debug, Clone)]
pub struct Item<T> {
    /// The resource.
    pub resource: Resource,
    /// The instrumentation scope.
    pub scope: InstrumentationScope,
    /// The span, log record or metric.
    pub item: T,
}

impl<T> std::ops::Deref for Item<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.item
    }
}

/// Returns a string attribute.
pub fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attribute(attributes, key)? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// Returns an integer attribute.
pub fn int(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match attribute(attributes, key)? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()
}

/// Returns the body of a log record if it is a string.
pub(super) fn body(record: &LogRecord) -> Option<String> {
    match record.body.as_ref() {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text.clone()),
        _ => None,
    }
}

/// All received requests.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) requests: Vec<Request>,
    counting: bool,
    attempts: HashMap<Signal, usize>,
    stored: HashMap<Signal, u64>,
    span_ids: HashSet<[u8; 8]>,
}

impl Store {
    pub(super) fn counting() -> Self {
        // Allocated once: growing a set of a million entries would delay a request.
        Self { counting: true, span_ids: HashSet::with_capacity(2_000_000), ..Self::default() }
    }

    /// Adds `request`, whose last `rejected` items are not stored.
    pub(super) fn add(&mut self, mut request: Request, rejected: u64) {
        *self.attempts.entry(request.signal).or_default() += 1;
        if request.stored {
            *self.stored.entry(request.signal).or_default() +=
                request.items().saturating_sub(rejected);
            if let Payload::Traces(traces) = &request.payload {
                let ids = spans_of(traces)
                    .filter_map(|item| <[u8; 8]>::try_from(item.span_id.as_slice()).ok());
                self.span_ids.extend(ids);
            }
        }
        if self.counting {
            return;
        }
        if rejected > 0 {
            reject(&mut request.payload, rejected);
        }
        self.requests.push(request);
    }

    pub(super) fn attempts(&self, signal: Signal) -> usize {
        self.attempts.get(&signal).copied().unwrap_or_default()
    }

    pub(super) fn stored(&self, signal: Signal) -> u64 {
        self.stored.get(&signal).copied().unwrap_or_default()
    }

    pub(super) fn distinct_spans(&self) -> usize {
        self.span_ids.len()
    }

    fn payloads(&self) -> impl Iterator<Item = &Payload> {
        self.requests.iter().filter(|request| request.stored).map(|request| &request.payload)
    }

    pub(super) fn spans(&self) -> Vec<Item<Span>> {
        self.payloads()
            .filter_map(|payload| match payload {
                Payload::Traces(request) => Some(owned(spans_of(request))),
                _ => None,
            })
            .flatten()
            .collect()
    }

    pub(super) fn logs(&self) -> Vec<Item<LogRecord>> {
        self.payloads()
            .filter_map(|payload| match payload {
                Payload::Logs(request) => Some(owned(logs_of(request))),
                _ => None,
            })
            .flatten()
            .collect()
    }

    pub(super) fn metrics(&self) -> Vec<Item<Metric>> {
        self.payloads()
            .filter_map(|payload| match payload {
                Payload::Metrics(request) => Some(owned(metrics_of(request))),
                _ => None,
            })
            .flatten()
            .collect()
    }

    pub(super) fn clear(&mut self) {
        *self = Self { counting: self.counting, ..Self::default() };
    }
}

fn owned<'a, T: Clone + 'a>(items: impl Iterator<Item = Item<&'a T>>) -> Vec<Item<T>> {
    items
        .map(|Item { resource, scope, item }| Item { resource, scope, item: item.clone() })
        .collect()
}

macro_rules! flatten {
    ($name:ident, $request:ty, $item:ty, $resources:ident, $scopes:ident, $items:ident) => {
        fn $name(request: &$request) -> impl Iterator<Item = Item<&$item>> {
            request.$resources.iter().flat_map(|outer| {
                outer.$scopes.iter().flat_map(|inner| {
                    inner.$items.iter().map(|item| Item {
                        resource: outer.resource.clone().unwrap_or_default(),
                        scope: inner.scope.clone().unwrap_or_default(),
                        item,
                    })
                })
            })
        }
    };
}

flatten!(spans_of, ExportTraceServiceRequest, Span, resource_spans, scope_spans, spans);
flatten!(logs_of, ExportLogsServiceRequest, LogRecord, resource_logs, scope_logs, log_records);
flatten!(metrics_of, ExportMetricsServiceRequest, Metric, resource_metrics, scope_metrics, metrics);

fn points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    }
}

pub(super) fn latest_sum(metrics: &[Item<Metric>], name: &str) -> f64 {
    let newest = metrics.iter().rev().find(|metric| metric.name == name);
    let value = |point: &NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => value as f64,
        None => 0.0,
    };
    match newest.and_then(|metric| metric.data.as_ref()) {
        Some(Data::Sum(sum)) => sum.data_points.iter().map(value).sum(),
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(value).sum(),
        _ => 0.0,
    }
}

/// Removes the last `rejected` items; of metrics, the last metrics.
fn reject(payload: &mut Payload, rejected: u64) {
    fn cut<'a, T: 'a>(lists: impl DoubleEndedIterator<Item = &'a mut Vec<T>>, mut rejected: usize) {
        for list in lists.rev() {
            let here = rejected.min(list.len());
            list.truncate(list.len() - here);
            rejected -= here;
        }
    }
    let rejected = rejected as usize;
    match payload {
        Payload::Traces(request) => cut(
            request
                .resource_spans
                .iter_mut()
                .flat_map(|outer| outer.scope_spans.iter_mut())
                .map(|i| &mut i.spans),
            rejected,
        ),
        Payload::Logs(request) => cut(
            request
                .resource_logs
                .iter_mut()
                .flat_map(|outer| outer.scope_logs.iter_mut())
                .map(|i| &mut i.log_records),
            rejected,
        ),
        Payload::Metrics(request) => cut(
            request
                .resource_metrics
                .iter_mut()
                .flat_map(|o| o.scope_metrics.iter_mut())
                .map(|i| &mut i.metrics),
            rejected,
        ),
    }
}
