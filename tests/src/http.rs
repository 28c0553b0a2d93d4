//! HTTP requests of the tests, on the runtime of the harness, without a proxy.

use crate::runtime;
use std::sync::LazyLock;
use std::time::Duration;

pub use reqwest::Method;

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30))
        .build()
        .expect("a client without settings that could fail")
});

/// A complete response.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// The body.
    pub bytes: bytes::Bytes,
}

impl Reply {
    /// Returns the first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Parses the body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Sends a GET request. Blocks the thread.
///
/// # Panics
/// If there is no response.
#[track_caller]
pub fn get(url: impl Into<String>) -> Reply {
    try_send(Method::GET, url, &[], "").expect("a reply")
}

/// Sends a POST request with a JSON body. Blocks the thread.
///
/// # Panics
/// If there is no response.
#[track_caller]
pub fn post(url: impl Into<String>, json: &str) -> Reply {
    try_send(Method::POST, url, &[("content-type", "application/json")], json).expect("a reply")
}

/// Sends a request. Blocks the thread.
///
/// # Errors
/// If there is no response.
pub fn try_send(
    method: Method,
    url: impl Into<String>,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Reply, String> {
    send_bytes(method, url, headers, body.into())
}

/// Sends a request with a body of bytes. Blocks the thread.
///
/// # Errors
/// If there is no response.
pub fn send_bytes(
    method: Method,
    url: impl Into<String>,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<Reply, String> {
    let mut request = CLIENT.request(method, url.into()).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    runtime::block_on(async move {
        let reply = request.send().await.map_err(|error| format!("{error:?}"))?;
        let status = reply.status().as_u16();
        let headers = reply
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let bytes = reply.bytes().await.map_err(|error| format!("{error:?}"))?;
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Reply { status, headers, body, bytes })
    })
}
