//! Facts of a request: operation, model, parameters.

use crate::gen_ai::LlmRequest;
use crate::openai::provider;
use crate::semconv::attribute as a;
use crate::semconv::gen_ai::operation;
use crate::unit::builder::{Llm, llm};
use reqwest::{Method, Request};
use serde::Deserialize;
use serde_json::Value;

/// The limit of a body that is parsed.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// The parameters, as loose values: one with another type than expected is left out.
#[derive(Deserialize, Default)]
#[serde(default)]
struct RequestBody {
    model: Value,
    stream: Value,
    temperature: Value,
    top_p: Value,
    max_tokens: Value,
    max_completion_tokens: Value,
    max_output_tokens: Value,
    frequency_penalty: Value,
    presence_penalty: Value,
    seed: Value,
    n: Value,
    stop: Value,
    dimensions: Value,
    encoding_format: Value,
}

/// Describes the call of a model that `request` is. `None` if it is another request, such as a list
/// of models.
pub(super) fn call_of(request: &Request, provider: Option<&str>) -> Option<Llm> {
    let operation = operation_of(request)?;
    let url = request.url();
    let host = url.host_str().unwrap_or_default();
    let body = parse(request);
    let provider = provider.unwrap_or_else(|| provider::of_host(host));
    let mut call = llm(provider, body.model.as_str().unwrap_or_default())
        .operation(operation)
        .field(a::SERVER_ADDRESS, crate::http::strip_brackets(host).to_owned())
        .request(parameters(&body));
    if let Some(port) = url.port_or_known_default() {
        call = call.field(a::SERVER_PORT, i64::from(port));
    }
    Some(call)
}

/// Returns the operation of the path, whatever its prefix is.
fn operation_of(request: &Request) -> Option<&'static str> {
    if request.method() != Method::POST {
        return None;
    }
    let path = request.url().path().trim_end_matches('/');
    let is = |end: &str| path.ends_with(end);
    match () {
        () if is("/chat/completions") || is("/responses") => Some(operation::CHAT),
        () if is("/completions") => Some(operation::TEXT_COMPLETION),
        () if is("/embeddings") => Some(operation::EMBEDDINGS),
        () => None,
    }
}

/// Parses the body. One that is a stream, or no JSON, has no facts.
fn parse(request: &Request) -> RequestBody {
    let bytes = request.body().and_then(|body| body.as_bytes());
    let bytes = bytes.filter(|bytes| bytes.len() <= MAX_BODY);
    bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
}

fn parameters(body: &RequestBody) -> LlmRequest {
    let max_tokens = [&body.max_completion_tokens, &body.max_tokens, &body.max_output_tokens];
    let max_tokens = max_tokens.into_iter().find_map(Value::as_u64);
    let mut request = LlmRequest::new();
    macro_rules! set {
        ($($method:ident = $value:expr),* $(,)?) => {$(
            if let Some(value) = $value {
                request = request.$method(value);
            }
        )*};
    }
    set! {
        stream = body.stream.as_bool().filter(|on| *on),
        temperature = body.temperature.as_f64(),
        top_p = body.top_p.as_f64(),
        max_tokens = max_tokens,
        frequency_penalty = body.frequency_penalty.as_f64(),
        presence_penalty = body.presence_penalty.as_f64(),
        seed = body.seed.as_i64(),
        choice_count = body.n.as_u64(),
        dimensions = body.dimensions.as_u64(),
        encoding_formats = body.encoding_format.as_str().map(|format| [format]),
    }
    match &body.stop {
        Value::String(stop) => request.stop_sequences([stop]),
        Value::Array(stops) => request.stop_sequences(stops.iter().filter_map(Value::as_str)),
        _ => request,
    }
}
