//! gRPC to a port of HTTP and HTTP to a port of gRPC: one line with the variable to change.

use crate::kit;
use hub_otel_tests::process::Process;
use hub_otel_tests::receiver::{Behaviour, Receiver, Versions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);
const HINT: &str = "does not respond in";

/// Runs a program that exports one span to `endpoint`. Returns its standard error.
fn stderr(endpoint: &str, more: &[(&str, &str)]) -> String {
    let mut command = kit::case("wrong_port::case::one_span");
    command.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ("HUB_OTEL_SHUTDOWN_TIMEOUT", "1500"),
    ]);
    command.envs(more.iter().copied());
    let mut process = Process::spawn(&mut command);
    assert!(process.exit(SOON).success(), "{}", process.stderr());
    process.stderr()
}

#[track_caller]
fn assert_hint(stderr: &str, remedies: &[&str]) {
    let hints: Vec<_> = stderr.lines().filter(|line| line.contains(HINT)).collect();
    assert_eq!(hints.len(), 1, "{stderr}");
    for remedy in remedies {
        assert!(hints[0].contains(remedy), "{remedy}: {}", hints[0]);
    }
}

#[test]
fn grpc_to_a_port_of_http_names_the_variable_of_the_protocol() {
    let receiver = Receiver::of(Versions::Http1);
    let remedies =
        ["OTEL_EXPORTER_OTLP_PROTOCOL", "`http/protobuf`", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    assert_hint(&stderr(&receiver.endpoint(), &[]), &remedies);
    let own = [("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc"), ("OTEL_LOGS_EXPORTER", "none")];
    let remedies = ["set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL to"];
    assert_hint(&stderr(&receiver.endpoint(), &own), &remedies);
}

#[test]
fn grpc_to_a_server_that_rejects_the_preface_of_http_2_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    assert_hint(&stderr(&endpoint, &[]), &["OTEL_EXPORTER_OTLP_PROTOCOL"]);
}

#[test]
fn grpc_to_a_server_of_http_2_without_grpc_is_recognised() {
    let receiver = Receiver::start();
    receiver.always(Behaviour::Page(404));
    assert_hint(&stderr(&receiver.endpoint(), &[]), &["OTEL_EXPORTER_OTLP_PROTOCOL"]);
}

#[test]
fn http_to_a_port_of_grpc_names_the_variable_of_the_protocol() {
    for protocol in ["http/protobuf", "http/json"] {
        let receiver = Receiver::of(Versions::Http2);
        let variables = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)];
        let remedies = ["OTEL_EXPORTER_OTLP_PROTOCOL", "`grpc`", "4318"];
        assert_hint(&stderr(&receiver.endpoint(), &variables), &remedies);
    }
}

#[test]
fn a_collector_that_is_busy_gets_no_hint() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = Receiver::start();
        receiver.always(Behaviour::status(503));
        let stderr = stderr(&receiver.endpoint(), &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)]);
        assert!(stderr.contains("is retried") && !stderr.contains(HINT), "{stderr}");
    }
}

#[test]
fn a_server_of_grpc_that_resets_the_connection_gets_no_hint() {
    let receiver = Receiver::start();
    receiver.always(Behaviour::ResetBeforeReply);
    let stderr = stderr(&receiver.endpoint(), &[]);
    assert!(stderr.contains("is retried") && !stderr.contains(HINT), "{stderr}");
}

mod case {
    use crate::kit;

    #[test]
    #[ignore = "runs in a child process"]
    fn one_span() {
        let telemetry = hub_otel::init("wrong-port").expect("the install");
        kit::span(&telemetry, "a span");
        telemetry.shutdown_blocking();
    }
}
