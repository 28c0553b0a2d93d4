//! async-openai 0.43 under hub-otel: a reply, a stream, and a call that is rejected.
//!
//! - async-openai reports nothing. `OpenAiLayer` goes below its client and records each request as
//!   a call of a model, with the tokens that the response reports.
//! - The span of a stream ends with the stream.
//! - The layer records content by consent only: OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run --bin async_openai` prints the trace on stderr.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, ChatCompletionStreamOptions, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs,
};
use futures_util::StreamExt;
use guides::{Api, MODEL, script};
use hub_otel::openai::OpenAiLayer;
use hub_otel::{instrument_agent, instrument_workflow};
use std::error::Error;

type OpenAi = Client<OpenAIConfig>;

fn question(text: &str) -> Result<CreateChatCompletionRequest, OpenAIError> {
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build()?;
    CreateChatCompletionRequestArgs::default().model(MODEL).messages([message.into()]).build()
}

#[instrument_agent(id = "ornithologist", action = "reply")]
async fn reply(client: &OpenAi) -> Result<Option<String>, OpenAIError> {
    let mut reply = client.chat().create(question("How wide is a heron?")?).await?;
    Ok(reply.choices.pop().and_then(|choice| choice.message.content))
}

/// The unit ends with the call; the stream is read inside of it.
#[instrument_agent(id = "ornithologist", action = "stream")]
async fn stream(client: &OpenAi) -> Result<(), OpenAIError> {
    let mut request = question("And what does it eat?")?;
    // Without it OpenAI reports no usage of a stream.
    request.stream_options =
        Some(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None });
    let mut chunks = client.chat().create_stream(request).await?;
    while let Some(chunk) = chunks.next().await {
        chunk?;
    }
    Ok(())
}

#[instrument_workflow(id = "birds")]
async fn birds(client: &OpenAi) -> Result<Option<String>, OpenAIError> {
    let text = reply(client).await?;
    stream(client).await?;
    // The scripted server rejects this one: the program continues without it.
    let _rejected = reply(client).await;
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let telemetry = hub_otel::init!()?;
    let api = Api::from_env_or(script::genai()).await?;
    let config = OpenAIConfig::new().with_api_base(&api.url).with_api_key(&api.key);
    let http = OpenAiLayer::new()
        .client(reqwest::Client::new(), |request: HttpRequestFactory| async move {
            request.build().await
        });
    let client = Client::with_config(config).with_http_service(http);
    println!("{}", birds(&client).await?.unwrap_or_default());
    telemetry.shutdown().await;
    Ok(())
}
