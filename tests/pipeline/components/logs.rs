//! Log processors and log exporters of the application.

use super::{Shared, alone};
use crate::kit;
use hub_otel::otel::TelemetryBuilderExt;
use hub_otel::otel::logger_provider;
use hub_otel::otel::opentelemetry::InstrumentationScope;
use hub_otel::otel::opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use hub_otel_tests::receiver::{Receiver, text};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter, LogProcessor, SdkLogRecord};
use std::collections::HashMap;
use std::time::Duration;

/// Adds an attribute to each record.
#[derive(Debug, Default, Clone)]
struct Adding(Shared<&'static str>);

impl LogProcessor for Adding {
    fn emit(&self, record: &mut SdkLogRecord, _: &InstrumentationScope) {
        record.add_attribute("tenant", "acme");
        self.0.push("emit");
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.push("flush");
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.0.push("shutdown");
        Ok(())
    }
}

/// Keeps the attributes of each record as text.
#[derive(Debug, Default, Clone)]
struct Keeping {
    records: Shared<Vec<(String, String)>>,
    bodies: Shared<String>,
}

impl LogExporter for Keeping {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        for (record, scope) in batch.iter() {
            assert_eq!(scope.name(), "tests");
            let attributes = record.attributes_iter();
            let pairs = attributes.map(|(key, value)| (key.to_string(), format!("{value:?}")));
            self.records.push(pairs.collect());
            self.bodies.push(format!("{:?} {:?}", record.severity_number(), record.body()));
        }
        Ok(())
    }
}

#[test]
fn a_log_processor_changes_records_before_every_export() {
    let receiver = Receiver::start();
    let (adding, keeping) = (Adding::default(), Keeping::default());
    let telemetry = kit::to(&receiver)
        .log_processor(adding.clone())
        .log_exporter(keeping.clone())
        .build()
        .expect("it starts");
    kit::log(&telemetry, "a record");
    telemetry.flush_blocking();
    let report = telemetry.shutdown_blocking();
    assert!(report.is_complete(), "{report}");
    assert_eq!(adding.0.all(), ["emit", "flush", "shutdown"]);
    assert_eq!(text(&receiver.logs()[0].attributes, "tenant"), Some("acme"));
    assert!(keeping.records.all()[0][0].1.contains("acme"), "{:?}", keeping.records.all());
    let exporter = &report.exporters[0];
    assert_eq!((exporter.signal, exporter.counts.ok), (hub_otel::Signal::Logs, 1));
}

#[test]
fn a_log_exporter_gets_records_without_the_one_of_the_settings_and_no_secret() {
    let keeping = Keeping::default();
    let telemetry = alone().log_exporter(keeping.clone()).build().expect("it starts");
    let logger = logger_provider(&telemetry).logger("tests");
    let mut record = logger.create_log_record();
    record.set_severity_number(Severity::Warn);
    record.set_body("a body".into());
    record.add_attribute("password", "hunter2");
    record.add_attribute("files", 7);
    let inner = HashMap::from([("token".into(), AnyValue::from("hunter2"))]);
    record.add_attribute("request", AnyValue::Map(Box::new(inner)));
    logger.emit(record);
    assert!(telemetry.shutdown_blocking().is_complete());
    let records = format!("{:?}", keeping.records.all());
    assert!(!records.contains("hunter2"), "{records}");
    assert_eq!(records.matches("[REDACTED]").count(), 2, "{records}");
    assert!(records.contains("Int(7)"), "{records}");
    let body = &keeping.bodies.all()[0];
    assert!(body.contains("Warn") && body.contains("a body"), "{body}");
}
