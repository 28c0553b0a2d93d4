//! A raw TCP connection: it can stop where an HTTP client cannot.

use super::Server;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Dropping it closes the connection.
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self { stream: TcpStream::connect(server.address).await.unwrap(), read: Vec::new() }
    }

    /// Sends a GET request and reads nothing.
    pub(crate) async fn get(server: &Server, path: &str) -> Self {
        let mut raw = Self::connect(server).await;
        raw.send(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", server.address)).await;
        raw
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until `end` was received.
    pub(crate) async fn read_until(&mut self, end: &str) {
        let reading = async {
            while !String::from_utf8_lossy(&self.read).contains(end) {
                let count = self.stream.read_buf(&mut self.read).await.unwrap();
                assert_ne!(
                    count,
                    0,
                    "the server closed the connection after {:?}",
                    String::from_utf8_lossy(&self.read)
                );
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reading).await.expect("a response in time");
        self.read.clear();
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn until_closed(&mut self) {
        let reading = async {
            while self.stream.read_buf(&mut self.read).await.is_ok_and(|count| count > 0) {}
        };
        tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an end in time");
    }
}
