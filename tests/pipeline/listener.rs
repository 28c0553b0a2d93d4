//! Hostile clients of `/metrics` do not affect the program.

use crate::kit;
use hub_otel_tests::{http, poll};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

#[test]
fn slow_readers_garbage_and_a_huge_head_harm_neither_the_program_nor_the_next_scrape() {
    let telemetry = kit::builder().build().expect("it starts");
    let address = telemetry.metrics_addr().expect("served");
    let connect = || TcpStream::connect(address).expect("a connection");
    let slow: Vec<_> = (0..64)
        .map(|_| {
            let mut stream = connect();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
            stream
        })
        .collect();
    let mut garbage = connect();
    garbage.write_all(b"\x16\x03\x01\x00\xff\x00\x00 rubbish\r\n\r\n").expect("sent");
    let mut huge = connect();
    let _ = huge.write_all(b"GET /metrics HTTP/1.1\r\nX-Huge: ");
    let _ = huge.write_all(&vec![b'x'; 1 << 20]);
    let _ = huge.write_all(b"\r\n\r\n");
    let mut response = Vec::new();
    let _ = huge.read_to_end(&mut response);
    assert!(!String::from_utf8_lossy(&response).contains(" 200 "), "a head of 1 MiB was taken");
    let reply = http::get(format!("http://{address}/metrics"));
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("hub_otel_export_items_total"));
    drop(slow);
    assert_eq!(http::get(format!("http://{address}/")).status, 404);
}

#[test]
fn metrics_on_loopback_are_not_served_under_the_name_of_another_site() {
    let scrape = |telemetry: &hub_otel::Telemetry, host: &str| {
        let url = format!("http://{}/metrics", telemetry.metrics_addr().expect("served"));
        http::try_send(http::Method::GET, url, &[("host", host)], "").expect("a reply").status
    };
    let telemetry = kit::builder().build().expect("it starts");
    for (host, status) in [("localhost:1", 200), ("127.0.0.1", 200), ("rebound.example", 403)] {
        assert_eq!(scrape(&telemetry, host), status, "{host}");
    }
    telemetry.shutdown_blocking();
    let names = [("HUB_OTEL_METRICS_HOSTS", "orchestrator, scanner")];
    let telemetry = kit::within(names).build().expect("it starts");
    for (host, status) in [("scanner:9464", 200), ("localhost", 200), ("rebound.example", 403)] {
        assert_eq!(scrape(&telemetry, host), status, "{host}");
    }
}

#[test]
fn a_configured_port_in_use_is_an_error_with_port_and_variable() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let error = kit::within([("OTEL_EXPORTER_PROMETHEUS_PORT", port.as_str())])
        .build()
        .expect_err("the port is taken");
    let text = error.to_string();
    assert!(text.contains(&port) && text.contains("OTEL_EXPORTER_PROMETHEUS_PORT"), "{text}");
    assert_eq!(error.kind(), hub_otel::InitErrorKind::MetricsListener);
}

#[test]
fn the_listener_is_gone_after_shutdown() {
    let telemetry = kit::builder().build().expect("it starts");
    let address = telemetry.metrics_addr().expect("served");
    telemetry.shutdown_blocking();
    poll::until(Duration::from_secs(5), || TcpStream::connect(address).is_err());
}
