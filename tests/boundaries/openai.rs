//! Calls of OpenAI's API through the tower layer, by async-openai and by reqwest, against a
//! scripted server.

mod bytes_unchanged;
mod calls;
mod content;
mod endings;

use crate::support::{BoundaryCapture, snapshot};
use hub_otel::openai::{OpenAiLayer, OpenAiService};
use reqwest::{Request, Response};
use scripted_openai::{Reply, Server};
use serde_json::{Value, json};
use tower::{Layer, Service};

async fn start(replies: impl IntoIterator<Item = Reply>) -> Server {
    Server::replies(replies).await.expect("a free port")
}

fn client() -> OpenAiService<reqwest::Client> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    OpenAiLayer::new().layer(client)
}

fn chat(server: &Server, stream: bool) -> Request {
    let body = json!({
        "model": "gpt-4o-mini",
        "messages": [{ "role": "user", "content": "c4n4ry two three" }],
        "stream": stream,
        "stream_options": { "include_usage": true },
    });
    post(&format!("{}/chat/completions", server.url()), &body)
}

fn post(url: &str, body: &Value) -> Request {
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    request.body(body.to_string()).build().expect("a request")
}

async fn send(request: Request) -> reqwest::Result<Response> {
    client().call(request).await
}

/// Renders the spans with what the conventions of GenAI describe, without times and prices, which
/// change.
fn calls(capture: &BoundaryCapture) -> String {
    assert!(!capture.debug().contains("c4n4ry"), "content is not recorded");
    snapshot::tree(capture.spans(), |key| {
        let changes = matches!(key, "gen_ai.response.time_to_first_chunk" | "gen_ai.usage.cost");
        (key.starts_with("gen_ai.") && !changes) || matches!(key, "error.type" | "hub_otel.status")
    })
}
