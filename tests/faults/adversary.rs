//! Secrets on the wire: none in plain text, and credentials only over safe connections.

use hub_otel_tests::program::{Program, Transport};
use hub_otel_tests::receiver::Receiver;

#[test]
fn headers_reach_the_collector_and_no_printed_text() {
    for transport in Transport::ALL {
        let receiver = Receiver::start();
        let settings =
            [("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2,x-tenant=blue")];
        let mut program = Program::with(&receiver.endpoint(), transport, &settings);
        program.emit(3);
        let printed = format!("{program:?} {:?}", program.telemetry().health());
        assert!(!printed.contains("hunter2"), "{printed}");
        program.stop().assert_delivered_once(&receiver);
        for request in receiver.requests() {
            assert_eq!(request.header("authorization"), Some("Bearer hunter2"), "{transport:?}");
            assert_eq!(request.header("x-tenant"), Some("blue"), "{transport:?}");
        }
    }
}

#[test]
fn credentials_over_plain_http_to_another_host_are_refused() {
    let settings = [("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2")];
    let error = Program::try_with("http://collector.example:4317", Transport::Grpc, &settings);
    let error = error.expect_err("refused").to_string();
    assert!(
        error.contains("http://collector.example:4317") && !error.contains("hunter2"),
        "{error}"
    );
}
