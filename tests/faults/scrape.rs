//! `/metrics` in bad company: slow readers, garbage, headers without end. The program and the next scrape are unharmed.

use crate::children::{printed, start_with};
use crate::support::{bar, figure};
use hub_otel_tests::program::{COUNTER, Transport};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::scrape::Scrape;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_scrape_is_served_in_bad_company_and_the_program_goes_on() {
    let receiver = Receiver::start();
    let pulled = [("OTEL_METRICS_EXPORTER", "prometheus"), ("OTEL_EXPORTER_PROMETHEUS_PORT", "0")];
    let mut child = start_with("serve", &receiver.endpoint(), Transport::Grpc, &[], &pulled);
    let line = child.line(LONG, "metrics ");
    let url = line.strip_prefix("metrics ").expect("the line's beginning").to_owned();
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
    Scrape::of(&url);
    let before = child.resident_bytes();
    let connect = || TcpStream::connect(&address).expect("it listens");
    let mut company = Vec::new();
    // 64 that ask and never read.
    for _ in 0..64 {
        let mut slow = connect();
        slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: slow\r\n\r\n").expect("sent");
        company.push(slow);
    }
    // 64 that ask a byte at a time, and stop.
    for _ in 0..64 {
        let mut trickle = connect();
        trickle.write_all(b"GET /met").expect("sent");
        company.push(trickle);
    }
    // Garbage, and what is no GET.
    for garbage in
        [&b"\x00\x01\x02\xff\xfe\r\n\r\n"[..], b"\x16\x03\x01\x02\x00", b"DELETE /metrics HTTP/1.1\r\n\r\n"]
    {
        let mut rude = connect();
        rude.write_all(garbage).expect("sent");
        company.push(rude);
    }
    // A header of a mebibyte.
    let mut endless = connect();
    let header = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let _cut_off = endless.write_all(header.as_bytes());
    let mut answer = Vec::new();
    let _reset = endless
        .set_read_timeout(Some(Duration::from_secs(5)))
        .and_then(|()| endless.read_to_end(&mut answer));
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));

    let start = Instant::now();
    let first = Scrape::of(&url);
    let took = start.elapsed();
    assert!(took <= bar(Duration::from_secs(1)), "{took:?}");
    let connections = company.len() as u64 + 1;
    let more = child.resident_bytes().saturating_sub(before);
    figure(
        "/metrics with 132 bad connections",
        format!("next scrape {took:?}, RSS +{} KiB each", more / connections / 1024),
    );
    assert!(more <= connections << 20, "{more} bytes for {connections}");
    // The program goes on.
    let count = |scrape: &Scrape| scrape.value(&format!("{}_total", COUNTER.replace('.', "_")), &[]);
    hub_otel_tests::poll::until(LONG, || count(&Scrape::of(&url)) > count(&first));
    child.terminate();
    assert!(child.exit(LONG).success(), "{}", child.stderr());
    assert!(child.stdout().contains(" lost 0"), "{}", child.stdout());
    assert!(printed(&child, "sent") > 0);
}
