//! Clients that send or read slowly or not at all, and lists of large entries.

use crate::server::{Server, TIMEOUT};
use crate::webhook::firing;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Number of requests that a client sends without reading a response.
const PIPELINED: usize = 12;

/// Stores runs with contexts of 200 kB.
async fn store_runs(server: &Server, count: usize) {
    let body = json!({ "contextJson": { "x": "y".repeat(200_000) } }).to_string();
    for _ in 0..count {
        let trigger =
            server.http.post(format!("{}/api/workflows/test-failure/trigger", server.url));
        let reply = trigger.body(body.clone()).send().await.unwrap();
        assert_eq!(reply.status(), 202);
    }
}

#[tokio::test]
async fn a_page_is_bounded_in_bytes_and_the_pages_are_complete() {
    let server = Server::start(&[]).await;
    store_runs(&server, 12).await;
    let (mut seen, mut pages, mut cursor) = (HashSet::new(), Vec::new(), String::new());
    loop {
        let path = format!("/api/workflows/test-failure/runs?limit=100{cursor}");
        let (status, page) = server.get(&path).await;
        assert_eq!(status, 200);
        assert!(page.to_string().len() < 1_200_000);
        let runs = page["runs"].as_array().unwrap();
        pages.push(runs.len());
        seen.extend(runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        match &page["nextCursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    assert_eq!((pages, seen.len()), (vec![5, 5, 2], 12));
}

#[tokio::test]
async fn clients_that_do_not_read_are_disconnected_and_make_room_for_others() {
    let server = Server::start(&[("HUB_MAX_CONNECTIONS", "6")]).await;
    store_runs(&server, 6).await;
    let address = server.url.trim_start_matches("http://").parse().unwrap();
    let request =
        b"GET /api/workflows/test-failure/runs?limit=100 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stalled = Vec::new();
    // More than the listener takes at a time.
    for _ in 0..12 {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(address).await.unwrap();
        // More than the kernel buffers: the server itself has to wait.
        stream.write_all(&request.repeat(PIPELINED)).await.unwrap();
        stalled.push(stream);
    }
    let before = server.process.anonymous_bytes();
    // A new connection, which waits until stalled ones are closed.
    let other = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
    let health = other.get(format!("{}/health/live", server.url)).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let after = server.process.anonymous_bytes();
    assert!(after < before + (64 << 20), "{before} {after}");
    let mut cut_off = 0;
    for mut stream in stalled {
        let mut body = Vec::new();
        // A reset, or a response that ends before its length.
        let end = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut body)).await;
        drop(end.expect("closed in time"));
        let complete = String::from_utf8_lossy(&body).matches("HTTP/1.1 200 OK").count();
        cut_off += usize::from(complete < PIPELINED);
    }
    // The later ones were taken when the first were gone, and are read in time. The connection that
    // stored the runs had a slot too.
    assert!(cut_off >= 5, "responses were kept for {} clients that did not read", 6 - cut_off);
}

#[tokio::test]
async fn a_slow_body_times_out_without_blocking_others() {
    let server = Server::start(&[]).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut slow = tokio::net::TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /api/webhooks/grafana HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = slow.into_split();
    let trickle = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(200));
        while write.write_all(b" ").await.is_ok() {
            pace.tick().await;
        }
    });
    assert_eq!(server.webhook("POST", &[], firing("meanwhile")).await.0, 200);
    let mut response = vec![0; 4_096];
    let read = tokio::time::timeout(Duration::from_secs(30), read.read(&mut response)).await;
    let response =
        String::from_utf8_lossy(&response[..read.expect("cut off in time").unwrap()]).into_owned();
    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    trickle.abort();
}

#[tokio::test]
async fn a_slow_or_missing_head_times_out_without_blocking_others() {
    let server = Server::start(&[]).await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let cut_off = async |first: &'static [u8], more: &'static [u8]| {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        write.write_all(first).await.unwrap();
        let trickle = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(200));
            while write.write_all(more).await.is_ok() {
                pace.tick().await;
            }
        });
        let mut response = Vec::new();
        let read =
            tokio::time::timeout(Duration::from_secs(30), read.read_to_end(&mut response)).await;
        trickle.abort();
        // A reset closes the connection too.
        drop(read.expect("cut off in time"));
        String::from_utf8_lossy(&response).into_owned()
    };
    let (slow, silent, idle, meanwhile) = tokio::join!(
        cut_off(b"POST /api/webhooks/grafana HTTP/1.1\r\nhost: localhost\r\nx: ", b"y"),
        cut_off(b"", b""),
        cut_off(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n", b""),
        server.webhook("POST", &[], firing("meanwhile")),
    );
    assert_eq!(meanwhile.0, 200);
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 408"), "{slow}");
    assert_eq!(silent, "");
    assert!(idle.starts_with("HTTP/1.1 200"), "an active connection is served first: {idle}");
}
