//! The resource as the Collector receives it: configured and detected attributes, no secret.

use crate::kit;
use hub_otel_tests::receiver::{Receiver, int, text};

#[test]
fn every_item_has_the_resource_of_its_sender() {
    let receiver = Receiver::start();
    let variables = [
        ("OTEL_SERVICE_NAME", "scanner"),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.name=beaten,deployment.environment.name=staging,owner=red%2C%20blue,api_key=hunter2",
        ),
    ];
    let telemetry = kit::within(variables)
        .endpoint(receiver.endpoint())
        .default_service_namespace("hub")
        .override_service_version("1.2.3")
        .resource_attribute("session.token", "hunter2")
        .build()
        .expect("it starts");
    kit::span(&telemetry, "a span");
    kit::log(&telemetry, "a record");
    assert!(telemetry.shutdown_blocking().is_complete());
    let of_span = receiver.spans()[0].resource.attributes.clone();
    assert_eq!(of_span, receiver.logs()[0].resource.attributes, "one resource for all signals");
    for (key, value) in [
        ("service.name", "scanner"),
        ("service.version", "1.2.3"),
        ("service.namespace", "hub"),
        ("deployment.environment.name", "staging"),
        ("owner", "red, blue"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.distro.name", "hub-otel"),
        ("os.type", "linux"),
        ("api_key", "[REDACTED]"),
        ("session.token", "[REDACTED]"),
    ] {
        assert_eq!(text(&of_span, key), Some(value), "{key}");
    }
    assert_eq!(int(&of_span, "process.pid"), Some(i64::from(std::process::id())));
    for key in ["service.instance.id", "host.name", "host.arch", "process.executable.name"] {
        assert!(text(&of_span, key).is_some_and(|value| !value.is_empty()), "{key}");
    }
    assert!(
        of_span.iter().all(|attribute| !attribute.key.starts_with("process.command")),
        "it may hold secrets"
    );
    let keys: std::collections::HashSet<_> =
        of_span.iter().map(|attribute| &attribute.key).collect();
    assert_eq!(keys.len(), of_span.len(), "each key once");
}

#[test]
fn two_instances_of_a_service_have_different_ids() {
    let id = || {
        let receiver = Receiver::start();
        let telemetry = kit::to(&receiver).build().expect("it starts");
        kit::span(&telemetry, "a span");
        telemetry.shutdown_blocking();
        let attributes = &receiver.spans()[0].resource.attributes;
        text(attributes, "service.instance.id").expect("an id").to_owned()
    };
    assert_ne!(id(), id());
    let receiver = Receiver::start();
    let given = [("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=replica-3")];
    let telemetry = kit::within(given).endpoint(receiver.endpoint()).build().expect("it starts");
    kit::span(&telemetry, "a span");
    telemetry.shutdown_blocking();
    assert_eq!(
        text(&receiver.spans()[0].resource.attributes, "service.instance.id"),
        Some("replica-3")
    );
}
