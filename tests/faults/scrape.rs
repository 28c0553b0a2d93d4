//! `/metrics` beside slow readers, garbage and endless headers: the next scrape succeeds.

use crate::children::{printed, start_with};
use crate::support::{bar, figure};
use hub_otel_tests::program::{COUNTER, Transport};
use hub_otel_tests::receiver::Receiver;
use hub_otel_tests::scrape::Scrape;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

/// Kinds of hostile connections to `/metrics`.
#[derive(Debug, Clone, Copy)]
enum Company {
    /// Sends a request and never reads.
    Reader,
    /// Sends a request byte by byte and stops.
    Trickler,
    /// Sends bytes that are no request.
    Garbage,
    /// Sends a header of a mebibyte.
    Endless,
}

impl Company {
    const ALL: [Self; 4] = [Self::Reader, Self::Trickler, Self::Garbage, Self::Endless];

    /// Connects. The connection stays open until the result is dropped.
    fn join(self, address: &str, number: usize) -> TcpStream {
        let mut stream = TcpStream::connect(address).expect("it listens");
        let garbage = [
            &b"\x00\x01\x02\xff\xfe\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00",
            b"DELETE /metrics HTTP/1.1\r\n\r\n",
        ];
        let words = match self {
            Self::Reader => b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            Self::Trickler => b"GET /met".to_vec(),
            Self::Garbage => garbage[number % garbage.len()].to_vec(),
            Self::Endless => {
                format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)).into_bytes()
            }
        };
        // The server may close the connection meanwhile.
        let _cut_off = stream.write_all(&words);
        if let Self::Endless = self {
            let mut response = Vec::new();
            let _reset = stream
                .set_read_timeout(Some(Duration::from_secs(5)))
                .and_then(|()| stream.read_to_end(&mut response));
            assert!(
                !response.starts_with(b"HTTP/1.1 200"),
                "{}",
                String::from_utf8_lossy(&response)
            );
        }
        stream
    }
}

#[test]
fn a_scrape_is_served_beside_hostile_clients_and_the_program_continues() {
    let receiver = Receiver::start();
    let pulled = [("OTEL_METRICS_EXPORTER", "prometheus"), ("OTEL_EXPORTER_PROMETHEUS_PORT", "0")];
    let mut child = start_with("serve", &receiver.endpoint(), Transport::Grpc, &[], &pulled);
    let line = child.line(LONG, "metrics ");
    let url = line.strip_prefix("metrics ").expect("the line's beginning").to_owned();
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
    let mut last = Scrape::of(&url);
    let mut company = Vec::new();
    for kind in Company::ALL {
        let before = child.resident_bytes();
        company.extend((0..64).map(|number| kind.join(&address, number)));
        let start = Instant::now();
        last = Scrape::of(&url);
        let took = start.elapsed();
        let more = child.resident_bytes().saturating_sub(before);
        figure(
            &format!("/metrics beside 64 × {kind:?} ({} connections in all)", company.len()),
            format!("next scrape {took:?}, RSS +{} KiB each", more / 64 / 1024),
        );
        assert!(took <= bar(Duration::from_secs(1)), "{kind:?}: {took:?}");
        assert!(more <= 64 << 20, "{kind:?}: {more} bytes for 64");
    }
    // The program continues.
    let count =
        |scrape: &Scrape| scrape.value(&format!("{}_total", COUNTER.replace('.', "_")), &[]);
    hub_otel_tests::poll::until(LONG, || count(&Scrape::of(&url)) > count(&last));
    child.terminate();
    assert!(child.exit(LONG).success(), "{}", child.stderr());
    assert!(child.stdout().contains(" lost 0"), "{}", child.stdout());
    assert!(printed(&child, "sent") > 0);
}
