#![expect(clippy::disallowed_methods, reason = "the attributes are test data")]

use super::*;
use crate::config::otlp::Protocol;
use crate::export::encode::encode_log_records;
use crate::export::random::{context, text, time};
use opentelemetry::logs::{LogRecord as _, Logger, LoggerProvider};
use opentelemetry::trace::SpanContext;
use opentelemetry::{InstrumentationScope, KeyValue, StringValue};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as WireResource;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogProcessor, SdkLoggerProvider};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tracing::Level;

/// Returns a record that the SDK made: its constructor is private.
fn record_of(fill: impl FnOnce(&mut SdkLogRecord)) -> SdkLogRecord {
    #[derive(Debug, Clone, Default)]
    struct Keep(Arc<Mutex<Option<SdkLogRecord>>>);
    impl LogProcessor for Keep {
        fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
            *self.0.lock().expect("not poisoned") = Some(record.clone());
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }
    let kept = Keep::default();
    let provider = SdkLoggerProvider::builder().with_log_processor(kept.clone()).build();
    let logger = provider.logger("tests");
    let mut record = logger.create_log_record();
    fill(&mut record);
    logger.emit(record);
    let mut kept = kept.0.lock().expect("not poisoned");
    kept.take().expect("a record")
}

fn value() -> impl Strategy<Value = AnyValue> {
    prop_oneof![
        text().prop_map(AnyValue::from),
        any::<i64>().prop_map(AnyValue::Int),
        any::<f64>().prop_map(AnyValue::Double),
        any::<bool>().prop_map(AnyValue::Boolean),
        vec(any::<u8>(), 0..40).prop_map(|bytes| AnyValue::Bytes(Box::new(bytes))),
    ]
}

fn any_severity() -> impl Strategy<Value = Severity> {
    prop_oneof![Just(Severity::Trace), Just(Severity::Info4), Just(Severity::Fatal4)]
}

type Context = (SpanContext, bool);

fn trace_context() -> impl Strategy<Value = Option<Context>> {
    option::of((context(), any::<bool>()))
}

prop_compose! {
    fn sdk_record()(
        times in (option::of(time()), time()),
        severity in option::of(any_severity()),
        severity_text in option::of(Just("WARN")),
        name in option::of(Just("an.event")),
        body in option::of(value()),
        attributes in vec((any::<String>(), value()), 0..8),
        context in trace_context(),
    ) -> SdkLogRecord {
        record_of(|record| {
            if let Some(time) = times.0 {
                record.set_timestamp(time);
            }
            record.set_observed_timestamp(times.1);
            if let Some(severity) = severity {
                record.set_severity_number(severity);
            }
            if let Some(text) = severity_text {
                record.set_severity_text(text);
            }
            if let Some(name) = name {
                record.set_event_name(name);
            }
            if let Some(body) = body {
                record.set_body(body);
            }
            record.add_attributes(attributes);
            if let Some((span, has_flags)) = context {
                let flags = has_flags.then_some(span.trace_flags());
                record.set_trace_context(span.trace_id(), span.span_id(), flags);
            }
        })
    }
}

prop_compose! {
    fn unit_event()(
        at in time(),
        level in prop_oneof![Just(Level::ERROR), Just(Level::INFO), Just(Level::DEBUG)],
        span in option::of(context()),
        values in vec(text(), 0..6),
    ) -> UnitEvent {
        let keys = ["a", "b", "c", "d", "e", "f"];
        UnitEvent {
            at,
            level,
            name: "workflow.run.ended",
            span,
            fields: keys.into_iter().zip(values.into_iter().map(StringValue::from)).collect(),
        }
    }
}

fn queued() -> impl Strategy<Value = QueuedLog> {
    let scope = || {
        prop_oneof![Just("one"), Just("two")].prop_map(|name| {
            let builder = InstrumentationScope::builder(name).with_version("1");
            builder.with_attributes([KeyValue::new("scope.attribute", true)]).build()
        })
    };
    prop_oneof![
        (scope(), sdk_record())
            .prop_map(|(scope, record)| (Some(scope), LogContent::Sdk(Box::new(record)))),
        (scope(), sdk_record()).prop_map(|(scope, record)| (
            Some(scope),
            LogContent::Message(Box::new((&record).into()))
        )),
        unit_event().prop_map(|event| (None, LogContent::Unit(Arc::new(event)))),
    ]
    .prop_map(|(scope, content)| QueuedLog { scope, content })
}

/// Encodes the messages of `records` with prost, grouped as [`encode`] does.
fn encode_with_prost(records: Vec<QueuedLog>, resource: &Resource) -> Vec<u8> {
    let unit_scope = library_scope();
    let mut groups: Vec<(InstrumentationScope, Vec<LogRecord>)> = Vec::new();
    for queued in records {
        let scope = queued.scope(&unit_scope).clone();
        let record = queued.content.into_message();
        match groups.iter_mut().find(|(group, _)| *group == scope) {
            Some((_, group)) => group.push(record),
            None => groups.push((scope, vec![record])),
        }
    }
    let scope_logs = groups.into_iter().map(|(scope, log_records)| ScopeLogs {
        schema_url: scope.schema_url().unwrap_or_default().to_owned(),
        scope: Some((scope, None).into()),
        log_records,
    });
    let resource = ResourceAttributesWithSchema::from(resource);
    let resource_logs = ResourceLogs {
        resource: Some(WireResource { attributes: resource.attributes.0, ..Default::default() }),
        schema_url: resource.schema_url.unwrap_or_default(),
        scope_logs: scope_logs.collect(),
    };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }.encode_to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_records_are_encoded_as_by_prost(records in vec(queued(), 0..5)) {
        let resource = Resource::builder_empty()
            .with_attributes([KeyValue::new("service.name", "shop")])
            .build();
        // The random keys are not secret.
        let written = encode(&records, &resource, &DenyList::default());
        let official = encode_with_prost(records, &resource);
        if written != official {
            // The decoded requests show the difference, if it is one of content.
            let decode = |bytes: &[u8]| ExportLogsServiceRequest::decode(bytes);
            prop_assert_eq!(decode(&written), decode(&official));
            prop_assert_eq!(written, official);
        }
    }
}

#[test]
fn secret_values_are_not_written() {
    let record = || {
        record_of(|record| {
            record.add_attribute("password", "hunter2");
            record.add_attribute("color", "red");
        })
    };
    let event = || UnitEvent {
        at: SystemTime::UNIX_EPOCH,
        level: Level::INFO,
        name: "an.event",
        span: None,
        fields: vec![("api_key", StringValue::from("hunter2"))],
    };
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let contents = [
            LogContent::Sdk(Box::new(record())),
            LogContent::Message(Box::new((&record()).into())),
            LogContent::Unit(Arc::new(event())),
        ];
        let records =
            contents.into_iter().map(|content| QueuedLog { scope: None, content }).collect();
        let resource = Resource::builder_empty().build();
        let bytes = encode_log_records(records, &resource, &DenyList::default(), protocol);
        let text = String::from_utf8_lossy(&bytes.expect("encoded")).into_owned();
        assert!(!text.contains("hunter2") && text.contains("[REDACTED]") && text.contains("red"));
    }
}
