//! The harness has to be trusted before what it tests.

use super::{Account, Behaviour, Code, Protocol, Receiver, Signal};
use crate::certificates::Certificates;
use crate::http::{self, Method};
use crate::proxy::{Link, Proxy};
use crate::{poll, ports, runtime};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, trace_service_client::TraceServiceClient},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;
use tonic::codec::CompressionEncoding::Gzip;
use tonic_types::StatusExt;

fn spans(names: &[&str]) -> ExportTraceServiceRequest {
    let spans =
        names.iter().map(|name| Span { name: (*name).to_owned(), ..Span::default() }).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }],
    }
}

fn by_grpc(endpoint: String, names: &'static [&'static str]) -> Result<i64, tonic::Status> {
    runtime::block_on(async move {
        let client = TraceServiceClient::connect(endpoint).await;
        let client = client.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
        let mut client = client.send_compressed(Gzip).accept_compressed(Gzip);
        let reply = tokio::time::timeout(Duration::from_secs(1), client.export(spans(names))).await;
        let reply =
            reply.map_err(|_| tonic::Status::deadline_exceeded("no reply within a second"))??;
        Ok(reply.into_inner().partial_success.map_or(0, |partial| partial.rejected_spans))
    })
}

fn by_http(receiver: &Receiver, names: &[&str]) -> Result<http::Reply, String> {
    let json = serde_json::to_string(&spans(names)).expect("plain data");
    let url = format!("{}/v1/traces", receiver.endpoint());
    http::try_send(Method::POST, url, &[("content-type", "application/json")], &json)
}

#[test]
fn both_protocols_are_stored_and_accounted_for() {
    let receiver = Receiver::start();
    assert_eq!(by_grpc(receiver.endpoint(), &["a", "b"]).expect("accepted"), 0);
    assert_eq!(by_http(&receiver, &["b", "c"]).expect("a reply").status, 200);
    let protocols: Vec<_> = receiver.requests().iter().map(|request| request.protocol).collect();
    assert_eq!(protocols, [Protocol::Grpc, Protocol::HttpJson]);
    assert_eq!(
        receiver.account(Signal::Traces, ["a", "b", "c"]),
        Account { duplicates: 1, ..Account::default() }
    );
    assert_eq!(receiver.account(Signal::Traces, ["d"]).missing, ["d"]);
}

#[test]
fn a_stall_of_the_proxy_delays_and_loses_nothing() {
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let proxy = Proxy::start(upstream.local_addr().expect("an address"));
    let mut client = TcpStream::connect(proxy.address()).expect("a connection");
    let (mut server, _) = upstream.accept().expect("a connection");
    let numbers = || (0..50_000_u32).map(u32::to_be_bytes);
    let client = std::thread::spawn(move || {
        numbers().for_each(|number| client.write_all(&number).expect("an open connection"));
    });
    let server = std::thread::spawn(move || {
        let mut received = Vec::new();
        server.read_to_end(&mut received).map(|_| received)
    });
    while !server.is_finished() {
        proxy.set(Link::Stall);
        proxy.set(Link::Forward);
    }
    client.join().expect("all numbers are sent");
    let received = server.join().expect("no panic").expect("an orderly end");
    assert!(received == numbers().flatten().collect::<Vec<_>>(), "{} bytes", received.len());
}

#[test]
fn refusals_store_nothing_and_carry_their_delay() {
    let receiver = Receiver::start();
    receiver.script(
        Signal::Traces,
        [
            Behaviour::retry_info(Code::ResourceExhausted, Duration::from_secs(2)),
            Behaviour::code(Code::Internal),
            Behaviour::retry_after(503, "2"),
            Behaviour::Partial { rejected: 1, message: "one too many" },
        ],
    );
    let exhausted = by_grpc(receiver.endpoint(), &["a"]).expect_err("refused");
    assert_eq!(exhausted.code(), Code::ResourceExhausted);
    let delay = exhausted.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(delay, Some(Duration::from_secs(2)));
    assert_eq!(by_grpc(receiver.endpoint(), &["a"]).expect_err("refused").code(), Code::Internal);
    let refused = by_http(&receiver, &["a"]).expect("a reply");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("2")));
    assert_eq!(by_grpc(receiver.endpoint(), &["a", "b"]).expect("accepted"), 1);
    assert_eq!((receiver.attempts(Signal::Traces), receiver.stored(Signal::Traces)), (4, 1));
    assert_eq!(receiver.account(Signal::Traces, ["a"]), Account::default());
}

#[test]
fn malicious_replies_look_to_a_client_as_they_should() {
    let receiver = Receiver::start();
    let meets = |behaviour| {
        receiver.script(Signal::Traces, [behaviour]);
        by_grpc(receiver.endpoint(), &["a"])
    };
    assert_eq!(meets(Behaviour::status(503)).expect_err("refused").code(), Code::Unavailable);
    assert_eq!(meets(Behaviour::Huge(10 << 20)).expect_err("too large").code(), Code::OutOfRange);
    assert!(meets(Behaviour::Bomb(64 << 20)).is_err());
    assert!(meets(Behaviour::Garbage).is_err());
    for silent in [Behaviour::Hang, Behaviour::HalfReply, Behaviour::Drip] {
        assert_eq!(meets(silent).expect_err("silence").code(), Code::DeadlineExceeded);
    }
    let reset = meets(Behaviour::ResetBeforeReply).expect_err("reset");
    assert_ne!(reset.code(), Code::DeadlineExceeded, "{reset}");
    receiver.script(Signal::Traces, [Behaviour::ResetAfterReply, Behaviour::ResetBeforeReply]);
    assert_eq!(by_http(&receiver, &["a"]).expect("a reply").status, 200);
    assert!(by_http(&receiver, &["a"]).expect_err("reset").contains("ConnectionReset"));
    receiver.script(Signal::Traces, [Behaviour::Bomb(64 << 20)]);
    let bomb = by_http(&receiver, &["a"])
        .map(|reply| (reply.body.len(), reply.header("content-encoding").is_some()));
    assert!(bomb.is_ok_and(|(length, gzip)| gzip && length < 1 << 20));
}

#[test]
fn an_outage_refuses_and_ends_on_the_same_port() {
    let receiver = Receiver::start();
    by_grpc(receiver.endpoint(), &["a"]).expect("accepted");
    receiver.stop();
    assert!(by_grpc(receiver.endpoint(), &["b"]).is_err());
    receiver.resume();
    by_grpc(receiver.endpoint(), &["c"]).expect("accepted again");
    assert_eq!(receiver.account(Signal::Traces, ["a", "c"]), Account::default());
    let (closed, hole) = (ports::Closed::new(), ports::BlackHole::new());
    assert!(by_grpc(closed.endpoint(), &[]).is_err());
    let knock = std::net::TcpStream::connect_timeout(&hole.address(), Duration::from_millis(300));
    assert_eq!(knock.expect_err("silence").kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn a_proxy_forwards_mutes_and_resets() {
    let receiver = Receiver::start();
    let proxy = Proxy::start(receiver.address());
    by_grpc(proxy.endpoint(), &["a"]).expect("forwarded");
    proxy.set(Link::Mute);
    assert!(by_grpc(proxy.endpoint(), &["b"]).is_err());
    proxy.set(Link::Reset);
    // Not by tonic, which connects again after a reset.
    let reset = TcpStream::connect(proxy.address()).and_then(|mut stream| stream.read(&mut [0]));
    assert_eq!(reset.unwrap_err().kind(), ErrorKind::ConnectionReset);
    proxy.set(Link::Forward);
    by_grpc(proxy.endpoint(), &["d"]).expect("forwarded again");
    assert_eq!(proxy.accepted(), 4);
    assert!(proxy.received().starts_with(b"PRI * HTTP/2.0"));
    poll::until(Duration::from_secs(5), || {
        receiver.account(Signal::Traces, ["a", "d"]).missing.is_empty()
    });
}

#[test]
fn a_certificate_of_an_unknown_authority_is_rejected() {
    let receiver = Receiver::tls(&Certificates::for_name("localhost"), false);
    let error = by_http(&receiver, &["a"]).expect_err("not trusted");
    assert!(error.contains("UnknownIssuer"), "{error}");
}
