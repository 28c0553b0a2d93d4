//! Facts of requests and responses.

use super::endings::sends;
use super::{calls, chat, client, post, send, start};
use crate::support::BoundaryCapture;
use async_openai::config::OpenAIConfig;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, ChatCompletionStreamOptions, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs,
};
use futures_util::StreamExt;
use hub_otel::openai::OpenAiLayer;
use scripted_openai::{Reply, Server, Usage};
use serde_json::json;
use tower::Service;

const USAGE: Usage = Usage { input: 1000, output: 50, cached: 600, reasoning: 20 };

fn async_openai(server: &Server) -> async_openai::Client<OpenAIConfig> {
    async_openai_by(&OpenAiLayer::new(), server)
}

fn async_openai_by(layer: &OpenAiLayer, server: &Server) -> async_openai::Client<OpenAIConfig> {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let http =
        layer.client(http, |request: HttpRequestFactory| async move { request.build().await });
    let config = OpenAIConfig::new().with_api_base(server.url()).with_api_key("c4n4ry");
    async_openai::Client::with_config(config).with_http_service(http)
}

fn question() -> CreateChatCompletionRequest {
    let message = ChatCompletionRequestUserMessageArgs::default().content("c4n4ry").build();
    CreateChatCompletionRequestArgs::default()
        .model("gpt-4o-mini")
        .temperature(0.5)
        .max_completion_tokens(64_u32)
        .messages([message.expect("a message").into()])
        .build()
        .expect("a request")
}

#[tokio::test]
async fn a_call_by_async_openai_is_a_unit_in_the_trace_of_its_agent() {
    let capture = BoundaryCapture::new();
    let reply = Reply::text("hello c4n4ry").usage(USAGE).model("gpt-4o-mini-2024-07-18");
    let server = start([reply]).await;
    let openai = async_openai(&server);
    let answer = hub_otel::agent("writer", "write")
        .run_with(openai.chat().create(question()), |result, unit| unit.by_error_type(result))
        .await
        .expect("an answer");
    assert_eq!(answer.choices[0].message.content.as_deref(), Some("hello c4n4ry"));
    assert_eq!(answer.usage.expect("usage").total_tokens, 1050);

    assert_eq!(
        calls(&capture),
        "INTERNAL agent.execute Ok\n\
         \u{20} CLIENT chat gpt-4o-mini gen_ai.operation.name=chat gen_ai.provider.name=openai \
         gen_ai.request.max_tokens=64 gen_ai.request.model=gpt-4o-mini \
         gen_ai.request.temperature=0.5 gen_ai.response.finish_reasons=[\"stop\"] \
         gen_ai.response.id=chatcmpl-1 gen_ai.response.model=gpt-4o-mini-2024-07-18 \
         gen_ai.usage.cache_read.input_tokens=600 gen_ai.usage.input_tokens=1000 \
         gen_ai.usage.output_tokens=50 gen_ai.usage.reasoning.output_tokens=20 hub_otel.status=SUCCESS Ok\n"
    );
    let span = capture.named("chat gpt-4o-mini", "Client");
    assert!(span.attributes.contains_key("gen_ai.usage.cost"), "{}", capture.tree());
    let traceparent = format!("00-{}-{}-01", span.trace_id, span.span_id);
    assert_eq!(server.calls()[0].header("traceparent"), Some(traceparent.as_str()));
    let table = capture.table();
    for metric in ["gen_ai.client.operation.duration", "gen_ai.client.token.usage"] {
        assert!(table.contains(metric), "{table}");
    }
}

#[tokio::test]
async fn a_stream_by_async_openai_ends_with_its_last_event() {
    let capture = BoundaryCapture::new();
    let server = start([Reply::text("hello you").and_tool_call("look", "{}").usage(USAGE)]).await;
    let mut request = question();
    request.stream_options =
        Some(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None });
    let mut stream = async_openai(&server).chat().create_stream(request).await.expect("a stream");
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.expect("a chunk");
        text.extend(chunk.choices.into_iter().filter_map(|choice| choice.delta.content));
    }
    assert_eq!(text, "hello you");
    let tree = calls(&capture);
    for part in [
        "CLIENT chat gpt-4o-mini ",
        "gen_ai.request.stream=true",
        "gen_ai.response.finish_reasons=[\"tool_calls\"]",
        "gen_ai.usage.input_tokens=1000",
        "gen_ai.usage.output_tokens=50",
        "hub_otel.status=SUCCESS Ok",
    ] {
        assert!(tree.contains(part), "{part} is not in {tree}");
    }
}

#[tokio::test]
async fn embeddings_and_other_requests_differ_by_their_path() {
    let capture = BoundaryCapture::new();
    let server = start([Reply::embeddings(8)]).await;
    let body = json!({ "model": "text-embedding-3-small", "input": ["c4n4ry"], "dimensions": 8 });
    let response = send(post(&format!("{}/embeddings", server.url()), &body)).await;
    let body = response.expect("a response").bytes().await.expect("a body");
    assert!(!body.is_empty());
    let models = reqwest::Client::new().get(format!("{}/models", server.url())).build();
    client().call(models.expect("a request")).await.expect("a response");

    assert_eq!(
        calls(&capture),
        "CLIENT embeddings text-embedding-3-small gen_ai.embeddings.dimension.count=8 \
         gen_ai.operation.name=embeddings gen_ai.provider.name=openai \
         gen_ai.request.model=text-embedding-3-small \
         gen_ai.response.model=text-embedding-3-small gen_ai.usage.input_tokens=1 \
         hub_otel.status=SUCCESS Ok\n"
    );
}

#[tokio::test]
async fn provider_and_propagation_are_settings_of_the_layer() {
    let capture = BoundaryCapture::new();
    let server = start([Reply::text("hello")]).await;
    let layer = OpenAiLayer::new().provider("ollama").without_propagation();
    let mut client = tower::Layer::layer(&layer, reqwest::Client::new());
    let response = client.call(chat(&server, false)).await.expect("a response");
    response.bytes().await.expect("a body");
    assert!(calls(&capture).contains("gen_ai.provider.name=ollama"), "{}", calls(&capture));
    assert_eq!(server.calls()[0].header("traceparent"), None);
}

#[tokio::test]
async fn a_cost_that_the_provider_reports_precedes_the_price_table() {
    let capture = BoundaryCapture::new();
    for (content_type, body) in [
        (
            "application/json",
            r#"{"model":"gpt-4o","usage":{"prompt_tokens":9,"completion_tokens":3,"cost":0.25}}"#,
        ),
        (
            "text/event-stream",
            "data: {\"usage\":{\"prompt_tokens\":9,\"cost\":0.25}}\n\ndata: [DONE]\n\n",
        ),
    ] {
        let server = sends(content_type, body).await;
        let url = server.url("/v1/chat/completions");
        let response = send(post(&url, &json!({ "model": "gpt-4o" }))).await.expect("the head");
        response.bytes().await.expect("a body");
    }
    for span in capture.spans().named("chat gpt-4o") {
        assert_eq!(span.text("gen_ai.usage.cost"), "0.25");
    }
    let reported = capture.metrics().value("agent.cost", &[("source", "reported")]);
    assert_eq!(reported, 0.5);
}

#[tokio::test]
async fn a_request_past_the_budget_is_not_sent_if_the_layer_refuses() {
    let capture = BoundaryCapture::new();
    let server = start([Reply::text("hello").usage(USAGE)]).await;
    let openai = async_openai_by(&OpenAiLayer::new().refuse_over_budget(), &server);
    let budget = hub_otel::Budget::new().llm_calls(1);
    let run = hub_otel::workflow("research").budget(budget).run(async {
        openai.chat().create(question()).await.expect("an answer");
        let plain = openai.chat().create(question()).await.expect_err("the budget").to_string();
        let streamed = openai.chat().create_stream(question()).await.err();
        let streamed = streamed.expect("the budget").to_string();
        for error in [plain, streamed] {
            assert!(error.contains("llm_calls is 1 of 1; the call was not started"), "{error}");
            assert!(error.contains("budget_exceeded"), "{error}");
        }
        assert_eq!(hub_otel::current().spent().map(|spent| spent.llm_calls()), Some(1));
    });
    // async-openai repeats what is temporary: a refusal is not.
    tokio::time::timeout(std::time::Duration::from_secs(10), run).await.expect("no retry");
    assert_eq!(server.calls().len(), 1);
    let spans = capture.spans();
    let errors: Vec<_> =
        spans.named("chat gpt-4o-mini").iter().map(|span| span.text("error.type")).collect();
    assert_eq!(errors, ["", "budget_exceeded", "budget_exceeded"]);
    assert_eq!(capture.metrics().value("gen_ai.client.operation.duration", &[]), 1.0);
}

#[tokio::test]
async fn a_call_of_the_layer_in_an_annotated_function_is_counted_once() {
    #[hub_otel::instrument_llm(provider = "openai", model = "gpt-4o-mini")]
    async fn annotated(server: &Server) -> String {
        let response = send(chat(server, false)).await.expect("a response");
        response.text().await.expect("a body")
    }
    let capture = BoundaryCapture::new();
    let server = start([Reply::text("hello").usage(USAGE)]).await;
    let budget = hub_otel::Budget::new().llm_calls(5);
    let run = async {
        annotated(&server).await;
        hub_otel::current().spent().expect("a budget")
    };
    let spent = hub_otel::workflow("research").budget(budget).run_with(run, |_, _| {}).await;
    assert_eq!((spent.llm_calls(), spent.tokens()), (1, 1050));
    let metrics = capture.metrics();
    assert_eq!(metrics.value("gen_ai.client.operation.duration", &[]), 1.0);
    assert_eq!(metrics.value("agent.tokens", &[("type", "input")]), 1000.0);
    let spans = capture.spans();
    let workflow = spans.named("workflow.execute")[0];
    let costs: Vec<_> =
        spans.named("chat gpt-4o-mini").iter().map(|span| span.text("gen_ai.usage.cost")).collect();
    assert_eq!(costs, [workflow.text("workflow.cost.usd"), String::new()]);
}

#[tokio::test]
async fn a_call_of_two_units_is_admitted_once_and_refused_whole() {
    let capture = BoundaryCapture::new();
    let server = start([Reply::text("hello").usage(USAGE)]).await;
    let openai = async_openai_by(&OpenAiLayer::new().refuse_over_budget(), &server);
    let call = || {
        let request = openai.chat();
        async move {
            hub_otel::llm("openai", "gpt-4o-mini")
                .run_with(request.create(question()), |result, unit| unit.by_error_type(result))
                .await
        }
    };
    hub_otel::workflow("research")
        .budget(hub_otel::Budget::new().llm_calls(1))
        .run(async {
            call().await.expect("the first call");
            call().await.expect_err("the budget");
            assert_eq!(hub_otel::current().spent().map(|spent| spent.llm_calls()), Some(1));
        })
        .await;
    assert_eq!(server.calls().len(), 1);
    assert_eq!(capture.metrics().value("gen_ai.client.operation.duration", &[]), 1.0);
}

#[tokio::test]
async fn every_attribute_of_a_call_is_in_the_contract() {
    use hub_otel::semconv::{SPANS, span};
    let capture = BoundaryCapture::new();
    let server = start([Reply::text("hello").usage(USAGE)]).await;
    let response = send(chat(&server, true)).await.expect("a response");
    response.bytes().await.expect("a body");
    let contract = SPANS.iter().find(|found| found.name == span::INFERENCE).expect("a span");
    let spans = capture.spans();
    let call = spans.named("chat gpt-4o-mini")[0];
    for key in call.attributes.keys() {
        assert!(contract.attributes.iter().any(|attribute| attribute.key == key), "{key}");
    }
    assert_eq!(call.text("server.address"), "127.0.0.1");
}

/// Returns what the conventions for OpenAI add to a call, and its type of output.
fn environment(capture: &BoundaryCapture) -> String {
    let spans = capture.spans();
    let span = spans.iter().next().expect("a span");
    let mut found = String::new();
    for (key, value) in &span.attributes {
        if key.starts_with("openai.") || key == "gen_ai.output.type" {
            found += &format!("{key}={value}\n");
        }
    }
    found
}

#[tokio::test]
async fn the_chat_completions_api_has_the_attributes_of_openai() {
    let capture = BoundaryCapture::new();
    let body = "data: {\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\"}\n\n\
                data: {\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\"}\n\n\
                data: [DONE]\n\n";
    let server = sends("text/event-stream", body).await;
    let request = json!({
        "model": "m", "service_tier": "auto", "response_format": { "type": "json_object" },
    });
    let url = server.url("/v1/chat/completions");
    send(post(&url, &request)).await.expect("the head").bytes().await.expect("a body");
    assert_eq!(
        environment(&capture),
        "gen_ai.output.type=json\n\
         openai.api.type=chat_completions\n\
         openai.request.service_tier=auto\n\
         openai.response.service_tier=default\n\
         openai.response.system_fingerprint=fp_1\n"
    );
}

#[tokio::test]
async fn the_responses_api_has_the_attributes_of_openai() {
    let capture = BoundaryCapture::new();
    let body = "data: {\"type\":\"response.created\",\
                \"response\":{\"service_tier\":\"auto\"}}\n\n\
                data: {\"type\":\"response.completed\",\
                \"response\":{\"service_tier\":\"flex\"}}\n\n";
    let server = sends("text/event-stream", body).await;
    let request = json!({
        "model": "m", "service_tier": "flex",
        "text": { "format": { "type": "json_schema", "name": "reply", "schema": {} } },
    });
    let url = server.url("/v1/responses");
    send(post(&url, &request)).await.expect("the head").bytes().await.expect("a body");
    assert_eq!(
        environment(&capture),
        "gen_ai.output.type=json\n\
         openai.api.type=responses\n\
         openai.request.service_tier=flex\n\
         openai.response.service_tier=flex\n"
    );
}
