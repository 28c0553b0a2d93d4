//! Bodies of the API: a completion, its stream, embeddings, an error.

use crate::call::{Call, Endpoint};
use crate::reply::{Content, Reply};
use serde_json::{Value, json};

/// Creation time in every body: replies are the same in every run.
const CREATED: u64 = 1_767_225_600;

/// Status, media type and body of a response, the body in pieces that are sent one by one.
pub(crate) struct Encoded {
    pub(crate) status: u16,
    pub(crate) media_type: &'static str,
    pub(crate) pieces: Vec<String>,
    /// Length to announce: a plain body has one, a stream is chunked.
    pub(crate) length: Option<usize>,
}

/// Encodes the reply for that call.
pub(crate) fn encode(call: &Call, reply: &Reply) -> Encoded {
    match &reply.content {
        Content::Status { code, message } => plain(*code, &error(*code, message)),
        Content::Embeddings { dimensions } => plain(200, &embeddings(call, reply, *dimensions)),
        Content::Message { .. } if call.endpoint == Endpoint::Embeddings => plain(200, &json!({})),
        Content::Message { text, tools } if call.is_stream() => {
            let pieces = stream(call, reply, text, tools);
            Encoded { status: 200, media_type: "text/event-stream", pieces, length: None }
        }
        Content::Message { text, tools } => plain(200, &completion(call, reply, text, tools)),
    }
}

/// Two pieces, so that a plain body can be cut too.
fn plain(status: u16, body: &Value) -> Encoded {
    let text = body.to_string();
    let (first, second) = halves(&text);
    let pieces = vec![first.to_owned(), second.to_owned()];
    Encoded { status, media_type: "application/json", pieces, length: Some(text.len()) }
}

fn halves(text: &str) -> (&str, &str) {
    let middle = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at));
    text.split_at(middle.unwrap_or(0))
}

fn error(code: u16, message: &str) -> Value {
    let kind = match code {
        401 => "authentication_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    };
    json!({ "error": { "message": message, "type": kind, "param": null, "code": kind } })
}

fn model<'a>(call: &'a Call, reply: &'a Reply) -> &'a str {
    reply.model.as_deref().unwrap_or(call.model())
}

fn finish<'a>(reply: &'a Reply, tools: &[(String, String)]) -> &'a str {
    reply.finish.as_deref().unwrap_or(if tools.is_empty() { "stop" } else { "tool_calls" })
}

fn call_id(call: &Call, index: usize) -> String {
    format!("call_{}_{}", call.number, index + 1)
}

fn completion(call: &Call, reply: &Reply, text: &str, tools: &[(String, String)]) -> Value {
    let mut message = json!({ "role": "assistant", "content": text, "refusal": null });
    if !tools.is_empty() {
        let calls = tools.iter().enumerate().map(|(index, (name, arguments))| {
            json!({
                "id": call_id(call, index),
                "type": "function",
                "function": { "name": name, "arguments": arguments },
            })
        });
        message["tool_calls"] = calls.collect();
        if text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    json!({
        "id": format!("chatcmpl-{}", call.number),
        "object": "chat.completion",
        "created": CREATED,
        "model": model(call, reply),
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish(reply, tools),
        }],
        "usage": reply.tokens(call).of_chat(),
    })
}

/// Events of a stream: the role, the text word by word, each tool call in three parts, the finish
/// reason, the usage if it is requested, and the end mark.
fn stream(call: &Call, reply: &Reply, text: &str, tools: &[(String, String)]) -> Vec<String> {
    let with_usage = call.body["stream_options"]["include_usage"] == true;
    let event = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", call.number),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model(call, reply),
            "choices": choices,
        });
        if with_usage {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        let choice =
            json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish });
        event(json!([choice]), Value::Null)
    };
    let mut events = vec![delta(json!({ "role": "assistant", "content": "" }), Value::Null)];
    for piece in text.split_inclusive(' ') {
        events.push(delta(json!({ "content": piece }), Value::Null));
    }
    for (index, (name, arguments)) in tools.iter().enumerate() {
        let begin = json!({ "tool_calls": [{
            "index": index,
            "id": call_id(call, index),
            "type": "function",
            "function": { "name": name, "arguments": "" },
        }] });
        events.push(delta(begin, Value::Null));
        let (first, second) = halves(arguments);
        for part in [first, second] {
            let more = json!({ "index": index, "function": { "arguments": part } });
            events.push(delta(json!({ "tool_calls": [more] }), Value::Null));
        }
    }
    events.push(delta(json!({}), json!(finish(reply, tools))));
    if with_usage {
        events.push(event(json!([]), reply.tokens(call).of_chat()));
    }
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn embeddings(call: &Call, reply: &Reply, dimensions: usize) -> Value {
    let data = call.inputs().into_iter().enumerate().map(|(index, input)| {
        json!({ "object": "embedding", "index": index, "embedding": vector(input, dimensions) })
    });
    json!({
        "object": "list",
        "data": data.collect::<Value>(),
        "model": model(call, reply),
        "usage": reply.tokens(call).of_embeddings(),
    })
}

/// A vector of length 1 that depends on the bytes of the text only.
fn vector(text: &str, dimensions: usize) -> Vec<f64> {
    let mut sums = vec![0.0; dimensions];
    for (index, byte) in text.bytes().enumerate() {
        if let Some(sum) = sums.get_mut((index + usize::from(byte)) % dimensions.max(1)) {
            *sum += f64::from(byte);
        }
    }
    let length = sums.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > 0.0 {
        for value in &mut sums {
            *value /= length;
        }
    } else if let Some(first) = sums.first_mut() {
        *first = 1.0;
    }
    sums
}
