//! Facts of a request: operation, model, parameters.

use crate::gen_ai::LlmRequest;
use crate::openai::provider;
use crate::semconv::attribute as a;
use crate::semconv::gen_ai::{self as g, api_type, operation, output_type};
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
    service_tier: Value,
    response_format: Value,
    /// Of the responses API.
    text: Value,
}

/// Describes the call of a model that `request` is. `None` if it is another request, such as a list
/// of models.
pub(super) fn call_of(request: &Request, provider: Option<&str>) -> Option<Llm> {
    let (operation, api_type) = operation_of(request)?;
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
    if let Some(api_type) = api_type {
        call = call.field(g::OPENAI_API_TYPE, api_type);
    }
    if let Some(tier) = body.service_tier.as_str() {
        call = call.field(g::OPENAI_REQUEST_SERVICE_TIER, tier.to_owned());
    }
    Some(call)
}

/// Returns the operation and the API of the path, whatever its prefix is.
fn operation_of(request: &Request) -> Option<(&'static str, Option<&'static str>)> {
    if request.method() != Method::POST {
        return None;
    }
    let path = request.url().path().trim_end_matches('/');
    let is = |end: &str| path.ends_with(end);
    match () {
        () if is("/chat/completions") => Some((operation::CHAT, Some(api_type::CHAT_COMPLETIONS))),
        () if is("/responses") => Some((operation::CHAT, Some(api_type::RESPONSES))),
        () if is("/completions") => Some((operation::TEXT_COMPLETION, None)),
        () if is("/embeddings") => Some((operation::EMBEDDINGS, None)),
        () => None,
    }
}

/// Parses the body. One that is a stream, or no JSON, has no facts.
fn parse(request: &Request) -> RequestBody {
    let bytes = request.body().and_then(|body| body.as_bytes());
    let bytes = bytes.filter(|bytes| bytes.len() <= MAX_BODY);
    bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
}

/// Returns the type of the output that either API requests.
fn output_type_of(body: &RequestBody) -> Option<&'static str> {
    let format = body.response_format.get("type").or_else(|| body.text.pointer("/format/type"));
    match format?.as_str()? {
        "text" => Some(output_type::TEXT),
        "json_object" | "json_schema" => Some(output_type::JSON),
        _ => None,
    }
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
        output_type = output_type_of(body),
    }
    match &body.stop {
        Value::String(stop) => request.stop_sequences([stop]),
        Value::Array(stops) => request.stop_sequences(stops.iter().filter_map(Value::as_str)),
        _ => request,
    }
}
