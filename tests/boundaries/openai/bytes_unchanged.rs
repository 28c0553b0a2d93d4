//! The client gets the bytes of the server, when they arrive.

use super::{chat, client, send, start};
use crate::support::{BoundaryCapture, Server};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hub_otel_tests::process::{Process, command, own_resident_bytes};
use scripted_openai::Reply;
use std::time::Duration;
use tower::Service;

#[tokio::test]
async fn responses_are_the_same_bytes_with_and_without_the_layer() {
    for stream in [false, true] {
        let replies = || {
            let text = Reply::text("one  two\nthree é").and_tool_call("look", r#"{"at":"\n"}"#);
            [text, Reply::status(429, "slow down").retry_after(7)]
        };
        let plain = start(replies()).await;
        let traced = start(replies()).await;
        let _capture = BoundaryCapture::new();
        for _ in 0..2 {
            let without =
                reqwest::Client::new().execute(chat(&plain, stream)).await.expect("a reply");
            let with = send(chat(&traced, stream)).await.expect("a reply");
            assert_eq!(with.status(), without.status());
            assert_eq!(with.version(), without.version());
            assert_eq!(with.url().path(), without.url().path());
            assert_eq!(with.url().port(), Some(port_of(&traced.url())));
            assert!(with.remote_addr().is_some());
            assert_eq!(with.content_length(), without.content_length());
            assert_eq!(headers(&with), headers(&without));
            let (with, without) = (with.bytes().await.expect("a body"), without.bytes().await);
            assert_eq!(with, without.expect("a body"));
        }
    }
}

fn port_of(url: &str) -> u16 {
    url.parse::<reqwest::Url>().expect("a URL").port().expect("a port")
}

fn headers(response: &reqwest::Response) -> Vec<String> {
    let headers = response.headers().iter().filter(|(name, _)| *name != "date");
    headers.map(|(name, value)| format!("{name}: {value:?}")).collect()
}

#[tokio::test]
async fn each_chunk_passes_when_it_arrives_and_the_first_one_is_timed() {
    let capture = BoundaryCapture::new();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let receiver = std::sync::Arc::new(std::sync::Mutex::new(Some(receiver)));
    let app = Router::new().route(
        "/v1/chat/completions",
        post(move || async move {
            let receiver = receiver.lock().unwrap().take().expect("one request");
            events(tokio_stream::wrappers::ReceiverStream::new(receiver))
        }),
    );
    let server = Server::start(app).await;
    let request = super::post(
        &server.url("/v1/chat/completions"),
        &serde_json::json!({ "model": "m", "stream": true }),
    );
    let mut response = client().call(request).await.expect("the head");
    // The next chunk is sent when the one before has arrived.
    for part in ["data: {\"id\":", "\"c-1\"}\n\n", "data: [DONE]\n\n"] {
        sender.send(Ok(Bytes::from(part))).await.expect("the server reads");
        let chunk = tokio::time::timeout(Duration::from_secs(20), response.chunk()).await;
        assert_eq!(chunk.expect("in time").expect("a chunk"), Some(Bytes::from(part)));
    }
    drop(response);
    capture.until_ended(1).await;
    let span = capture.only();
    let attribute = |key: &str| span.attributes.get(key).map(ToString::to_string);
    assert_eq!(attribute("gen_ai.response.id").as_deref(), Some("c-1"));
    assert_eq!(attribute("hub_otel.status").as_deref(), Some("SUCCESS"), "[DONE] ends the call");
    let first: f64 = attribute("gen_ai.response.time_to_first_chunk").unwrap().parse().unwrap();
    let whole = span.end.duration_since(span.start).unwrap().as_secs_f64();
    assert!(first > 0.0 && first <= whole, "{first} of {whole}");
}

/// A response with server-sent events.
fn events<S>(stream: S) -> Response
where
    S: futures_util::Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
{
    let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
    response.body(Body::from_stream(stream)).unwrap()
}

#[test]
fn ten_thousand_chunks_take_no_memory() {
    // Alone in its process: other tests take memory too.
    let mut command = command(std::env::current_exe().expect("this program"));
    let case = "openai::bytes_unchanged::ten_thousand_chunks";
    command.args(["--exact", case, "--ignored", "--nocapture"]);
    let mut process = Process::spawn(&mut command);
    let status = process.exit(Duration::from_secs(120));
    assert!(status.success(), "{}\n{}", process.stdout(), process.stderr());
}

#[tokio::test]
#[ignore = "runs in a child process"]
async fn ten_thousand_chunks() {
    const CHUNKS: usize = 10_000;
    let capture = BoundaryCapture::new();
    let app = Router::new().route("/v1/chat/completions", post(async || {
        let text = "x".repeat(8 * 1024);
        let event = format!(
            "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        );
        let chunk = Bytes::from(event);
        let end = "data: {\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":10000}}\n\n";
        let end = stream::iter([Ok(Bytes::from(end)), Ok(Bytes::from("data: [DONE]\n\n"))]);
        events(stream::repeat_with(move || Ok(chunk.clone())).take(CHUNKS).chain(end))
    }));
    let server = Server::start(app).await;
    let request = super::post(
        &server.url("/v1/chat/completions"),
        &serde_json::json!({ "model": "m", "stream": true }),
    );
    let mut response = client().call(request).await.expect("the head");
    let mut length = 0;
    while length < CHUNKS * 1024 {
        length += response.chunk().await.expect("a chunk").expect("more").len();
    }
    // The first call of a model decodes the table of prices.
    hub_otel::llm("openai", "m").call(|| _ = hub_otel::current().usage(hub_otel::Usage::new(1, 1)));
    let before = own_resident_bytes();
    while let Some(chunk) = response.chunk().await.expect("a chunk") {
        length += chunk.len();
    }
    let grown = own_resident_bytes().saturating_sub(before);
    assert!(length > CHUNKS * 8 * 1024, "{length}");
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes for {length}");
    let tree = capture.tree();
    assert!(tree.contains("gen_ai.usage.output_tokens=10000"), "{tree}");
}
