//! Content of requests and responses, with consent. Without it `calls` asserts that none is
//! recorded.

use super::{chat, client, post, start};
use hub_otel::testing::{Capture, Settings};
use reqwest::Request;
use scripted_openai::Reply;
use serde_json::{Value, json};
use tower::Service;

fn consented() -> Capture {
    Settings::new().capture_content().capture()
}

async fn read(request: Request) {
    let response = client().call(request).await.expect("a response");
    response.bytes().await.expect("a body");
}

fn content(capture: &Capture, key: &str) -> Value {
    let spans = capture.spans();
    let text = spans.iter().next().expect("a span").text(key);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{key} is `{text}`: {error}"))
}

fn text_message(role: &str, text: &str) -> Value {
    json!({ "role": role, "parts": [{ "type": "text", "content": text }] })
}

#[tokio::test]
async fn messages_of_a_chat_are_recorded_whole_and_from_a_stream() {
    for stream in [false, true] {
        let capture = consented();
        let server = start([Reply::text("one two three")]).await;
        read(chat(&server, stream)).await;
        let question = json!([text_message("user", "c4n4ry two three")]);
        assert_eq!(content(&capture, "gen_ai.input.messages"), question, "{stream}");
        let mut answer = text_message("assistant", "one two three");
        answer["finish_reason"] = json!("stop");
        assert_eq!(content(&capture, "gen_ai.output.messages"), json!([answer]), "{stream}");
        capture.conformance().expect("the contract");
    }
}

#[tokio::test]
async fn calls_of_tools_and_their_results_are_recorded() {
    for stream in [false, true] {
        let capture = consented();
        let server = start([Reply::tool_call("wingspan", r#"{"bird":"heron"}"#)]).await;
        let function = json!({ "name": "sightings", "arguments": r#"{"password":"hunter2"}"# });
        let body = json!({ "model": "m", "stream": stream, "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is it?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
            ] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "c1", "type": "function", "function": function },
            ] },
            { "role": "tool", "tool_call_id": "c1", "content": "[3,4]" },
        ] });
        read(post(&format!("{}/chat/completions", server.url()), &body)).await;
        let sent = json!([
            text_message("system", "Be brief."),
            { "role": "user", "parts": [
                { "type": "text", "content": "What is it?" }, { "type": "image_url" },
            ] },
            { "role": "assistant", "parts": [{
                "type": "tool_call", "id": "c1", "name": "sightings",
                "arguments": { "password": "[REDACTED]" },
            }] },
            { "role": "tool", "parts": [
                { "type": "tool_call_response", "id": "c1", "response": [3, 4] },
            ] },
        ]);
        assert_eq!(content(&capture, "gen_ai.input.messages"), sent);
        let answer = content(&capture, "gen_ai.output.messages");
        let call = &answer[0]["parts"][0];
        assert_eq!(call["name"], "wingspan", "{answer}");
        assert_eq!(call["arguments"], json!({ "bird": "heron" }), "{answer}");
        assert_eq!(answer[0]["finish_reason"], "tool_calls", "{answer}");
    }
}
