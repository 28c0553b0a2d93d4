//! Encoding of finished items into OTLP requests, on the export thread. Redacts secret values.

mod logs;
mod otlp;
mod protobuf;
mod spans;

use crate::config::otlp::Protocol;
use crate::export::ended_span::{EndedSpan, to_span_data};
use crate::export::queued_log::{LogContent, QueuedLog};
use crate::semconv::library_scope;
use crate::telemetry::redaction::{DenyList, REDACTED};
use crate::unit::span::RecordLimits;
use bytes::Bytes;
use opentelemetry::InstrumentationScope;
use opentelemetry::KeyValue;
use opentelemetry::Value;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::KeyValue as WireKeyValue;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use std::collections::HashMap;

/// A log record with its instrumentation scope, for the live view.
#[cfg(feature = "live")]
#[derive(Debug)]
pub(crate) struct ScopedLogRecord {
    pub(crate) scope: InstrumentationScope,
    pub(crate) record: LogRecord,
}

/// A request that is encoded as protobuf or JSON.
trait OtlpRequest: Message {
    fn to_json(&self) -> Option<Vec<u8>>;
}

macro_rules! impl_otlp_request {
    ($($request:ty),*) => {$(
        impl OtlpRequest for $request {
            #[cfg(feature = "otlp-http")]
            fn to_json(&self) -> Option<Vec<u8>> {
                serde_json::to_vec(self).ok()
            }

            #[cfg(not(feature = "otlp-http"))]
            fn to_json(&self) -> Option<Vec<u8>> {
                None
            }
        }
    )*};
}

impl_otlp_request!(
    ExportTraceServiceRequest,
    ExportLogsServiceRequest,
    ExportMetricsServiceRequest
);

fn encode_request(request: &impl OtlpRequest, protocol: Protocol) -> Option<Bytes> {
    match protocol {
        Protocol::HttpJson => request.to_json().map(Bytes::from),
        Protocol::Grpc | Protocol::HttpProtobuf => Some(request.encode_to_vec().into()),
    }
}

/// Returns whether a value contains text. Numbers and Booleans are never redacted.
pub(crate) fn is_text(value: &Value) -> bool {
    use opentelemetry::Array::{Bool, F64, I64};
    !matches!(
        value,
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Array(Bool(_) | I64(_) | F64(_))
    )
}

fn is_wire_text(value: &AnyValue) -> bool {
    use any_value::Value::{ArrayValue, BoolValue, DoubleValue, IntValue};
    match &value.value {
        None | Some(BoolValue(_) | IntValue(_) | DoubleValue(_)) => false,
        Some(ArrayValue(list)) => list.values.iter().any(is_wire_text),
        Some(_) => true,
    }
}

fn redact_attributes(attributes: &mut [KeyValue], deny: &DenyList) {
    for KeyValue { key, value, .. } in attributes {
        if is_text(value) && deny.redacts(key.as_str()) {
            *value = Value::from(REDACTED);
        }
    }
}

pub(crate) fn redact_wire_attributes(attributes: &mut [WireKeyValue], deny: &DenyList) {
    for WireKeyValue { key, value, .. } in attributes {
        let Some(value) = value else { continue };
        if is_wire_text(value) && deny.redacts(key) {
            value.value = Some(any_value::Value::StringValue(REDACTED.to_owned()));
        } else {
            redact_any_value(value, deny);
        }
    }
}

/// Redacts the secret labels of one point of a metric. Points that differ in a secret stay
/// different.
fn redact_labels(labels: &mut [WireKeyValue], deny: &DenyList) {
    for WireKeyValue { key, value, .. } in labels {
        let Some(value) = value else { continue };
        if is_wire_text(value) && deny.redacts(key) {
            let text = match &value.value {
                Some(any_value::Value::StringValue(text)) => deny.redact_label(key, text),
                other => deny.redact_label(key, &format!("{other:?}")),
            };
            value.value = Some(any_value::Value::StringValue(text));
        }
    }
}

/// Redacts secret keys inside a structured value. The depth is bounded by `limit_log_record`.
fn redact_any_value(value: &mut AnyValue, deny: &DenyList) {
    match &mut value.value {
        Some(any_value::Value::KvlistValue(list)) => redact_wire_attributes(&mut list.values, deny),
        Some(any_value::Value::ArrayValue(list)) => {
            list.values.iter_mut().for_each(|value| redact_any_value(value, deny));
        }
        _ => {}
    }
}

/// Redacts the secret attributes of a span, its events and its links.
pub(crate) fn redact_span(span: &mut SpanData, deny: &DenyList) {
    redact_attributes(&mut span.attributes, deny);
    span.events.events.iter_mut().for_each(|event| redact_attributes(&mut event.attributes, deny));
    span.links.links.iter_mut().for_each(|link| redact_attributes(&mut link.attributes, deny));
}

/// Redacts the secret attributes of a log record, and the secret keys of its body.
pub(crate) fn redact_log_record(record: &mut LogRecord, deny: &DenyList) {
    redact_wire_attributes(&mut record.attributes, deny);
    if let Some(body) = &mut record.body {
        redact_any_value(body, deny);
    }
}

/// Encodes a request with spans.
pub(crate) fn encode_spans(
    spans: Vec<EndedSpan>,
    resource: &Resource,
    deny: &DenyList,
    limits: &RecordLimits,
    protocol: Protocol,
) -> Option<Bytes> {
    match protocol {
        Protocol::Grpc | Protocol::HttpProtobuf => {
            Some(spans::encode(&spans, resource, deny, limits).into())
        }
        Protocol::HttpJson => {
            let mut spans: Vec<SpanData> = spans
                .into_iter()
                .map(|span| match span {
                    EndedSpan::Unit(span, end) => to_span_data(*span, &end, limits),
                    EndedSpan::Sdk(span) => *span,
                })
                .collect();
            spans.iter_mut().for_each(|span| redact_span(span, deny));
            let resource = ResourceAttributesWithSchema::from(resource);
            let resource_spans = group_spans_by_resource_and_scope(spans, &resource);
            ExportTraceServiceRequest { resource_spans }.to_json().map(Bytes::from)
        }
    }
}

/// Encodes a request with log records, grouped by instrumentation scope: the `tracing` target, if
/// the record has one.
pub(crate) fn encode_log_records(
    mut records: Vec<QueuedLog>,
    resource: &Resource,
    deny: &DenyList,
    protocol: Protocol,
) -> Option<Bytes> {
    if protocol != Protocol::HttpJson {
        for record in &mut records {
            if let LogContent::Message(record) = &mut record.content {
                redact_log_record(record, deny);
            }
        }
        return Some(logs::encode(&records, resource, deny).into());
    }
    let unit_scope = library_scope();
    let mut groups: Vec<ScopeLogs> = Vec::new();
    let mut group_indices: HashMap<InstrumentationScope, usize> = HashMap::new();
    for queued in records {
        let scope = queued.scope(&unit_scope).clone();
        let mut record = queued.content.into_message();
        redact_log_record(&mut record, deny);
        let index = *group_indices.entry(scope).or_insert_with_key(|scope| {
            groups.push(ScopeLogs {
                scope: Some((scope, None).into()),
                schema_url: scope.schema_url().unwrap_or_default().to_owned(),
                log_records: Vec::new(),
            });
            groups.len() - 1
        });
        groups[index].log_records.push(record);
    }
    let resource = ResourceAttributesWithSchema::from(resource);
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(WireResource {
                attributes: resource.attributes.0,
                ..WireResource::default()
            }),
            schema_url: resource.schema_url.unwrap_or_default(),
            scope_logs: groups,
        }],
    };
    encode_request(&request, protocol)
}

/// Encodes a request with metrics. Returns the body and the number of data points.
pub(crate) fn encode_metrics(
    metrics: &ResourceMetrics,
    deny: &DenyList,
    protocol: Protocol,
) -> Option<(Bytes, usize)> {
    let mut request = ExportMetricsServiceRequest::from(metrics);
    let mut points = 0;
    let request_metrics = request
        .resource_metrics
        .iter_mut()
        .flat_map(|resource| &mut resource.scope_metrics)
        .flat_map(|scope| &mut scope.metrics);
    for metric in request_metrics {
        let mut count = |attributes: &mut [WireKeyValue]| {
            redact_labels(attributes, deny);
            points += 1;
        };
        match &mut metric.data {
            Some(Data::Gauge(data)) => {
                data.data_points.iter_mut().for_each(|point| count(&mut point.attributes))
            }
            Some(Data::Sum(data)) => {
                data.data_points.iter_mut().for_each(|point| count(&mut point.attributes))
            }
            Some(Data::Histogram(data)) => {
                data.data_points.iter_mut().for_each(|point| count(&mut point.attributes))
            }
            Some(Data::ExponentialHistogram(data)) => {
                data.data_points.iter_mut().for_each(|point| count(&mut point.attributes))
            }
            Some(Data::Summary(data)) => {
                data.data_points.iter_mut().for_each(|point| count(&mut point.attributes))
            }
            None => {}
        }
    }
    Some((encode_request(&request, protocol)?, points))
}
