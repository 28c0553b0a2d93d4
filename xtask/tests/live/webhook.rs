//! Chat service that receives the notifications.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Listens on loopback and stores the received requests.
#[derive(Debug)]
pub(crate) struct Chat {
    port: u16,
    received: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Chat {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let received: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let sink = received.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !complete(&request) {
                    match stream.read(&mut buffer) {
                        Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                        _ => break,
                    }
                }
                sink.lock()
                    .expect("not poisoned")
                    .push((Instant::now(), String::from_utf8_lossy(&request).into_owned()));
                let _gone = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
                );
            }
        });
        Self { port, received }
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/services/T/B/x", self.host())
    }

    /// Returns the number of received messages.
    pub(crate) fn delivered(&self) -> usize {
        self.received.lock().expect("not poisoned").len()
    }

    /// Returns the times at which the messages arrived.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.received.lock().expect("not poisoned").iter().map(|(time, _)| *time).collect()
    }

    /// Reports whether a message with all of these words was received.
    pub(crate) fn has(&self, words: &[&str]) -> bool {
        self.find(words).is_some()
    }

    /// Returns the body of the first message with all of these words.
    pub(crate) fn find(&self, words: &[&str]) -> Option<String> {
        let requests = self.received.lock().expect("not poisoned");
        let found = requests
            .iter()
            .map(|(_, text)| text)
            .find(|text| words.iter().all(|word| text.contains(word)))?;
        found.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    }
}

fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| {
            line.to_lowercase()
                .strip_prefix("content-length:")
                .map(|value| value.trim().parse().unwrap_or(0))
        })
        .unwrap_or(0);
    body.len() >= length
}
