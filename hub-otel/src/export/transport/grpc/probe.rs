//! Detection of a server of HTTP/1.1 at the port of gRPC. The errors of the channel do not show it:
//! the response is an invalid frame, after which the connection is closed.

use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The preface of HTTP/2 and an empty SETTINGS frame (RFC 9113, section 3.4).
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HTTP_1: &[u8] = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// The begin of a response of HTTP/1.1.
const RESPONSE: &[u8] = b"HTTP/";
/// The time limit of one response.
const MAX_TIME: Duration = Duration::from_secs(1);

/// Returns whether the server at `authority` responds in HTTP/1.1 and not in HTTP/2.
pub(super) async fn is_http_1(authority: &str) -> bool {
    match response(authority, HTTP_2).await {
        Some(begin) if begin.is_empty() => {
            response(authority, HTTP_1).await.is_some_and(|begin| begin == RESPONSE)
        }
        Some(begin) => begin == RESPONSE,
        None => false,
    }
}

/// Sends `request` on a new connection. Returns the first bytes of the response; empty if there is
/// none. `None` without a connection.
async fn response(authority: &str, request: &[u8]) -> Option<Vec<u8>> {
    let stream = timeout(MAX_TIME, TcpStream::connect(authority)).await.ok()?.ok()?;
    let mut begin = Vec::new();
    // The time limit is not an error: what was received until then counts.
    let _ = timeout(MAX_TIME, exchange(&stream, request, &mut begin)).await;
    Some(begin)
}

async fn exchange(stream: &TcpStream, request: &[u8], begin: &mut Vec<u8>) -> std::io::Result<()> {
    let mut sent = 0;
    while sent < request.len() {
        stream.writable().await?;
        match stream.try_write(&request[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    while begin.len() < RESPONSE.len() {
        let mut bytes = [0; RESPONSE.len()];
        let missing = RESPONSE.len() - begin.len();
        stream.readable().await?;
        match stream.try_read(&mut bytes[..missing]) {
            Ok(0) => break,
            Ok(count) => begin.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
