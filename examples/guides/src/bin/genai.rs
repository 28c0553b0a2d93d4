//! genai 0.7 under hub-otel: a reply, a stream, and a call that is rejected.
//!
//! - With its feature `otel` genai reports each call as a `tracing` span by the GenAI conventions,
//!   which `init!()` exports below the unit that made the call.
//! - The span of a stream ends with the stream and has the time to its first chunk.
//! - genai records content if OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is `true`.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run --bin genai` prints the trace on stderr.

use futures_util::StreamExt;
use genai::Client;
use genai::adapter::AdapterKind;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest};
use genai::resolver::{AuthData, Endpoint};
use guides::{Api, MODEL, script};
use hub_otel::{instrument_agent, instrument_workflow};
use std::error::Error;

fn question(text: &str) -> ChatRequest {
    ChatRequest::new(vec![ChatMessage::user(text)])
}

#[instrument_agent(id = "ornithologist", action = "reply")]
async fn reply(client: &Client) -> genai::Result<Option<String>> {
    let response = client.exec_chat(MODEL, question("How wide is a heron?"), None).await?;
    Ok(response.into_first_text())
}

/// The unit ends with the call; the stream is read inside of it.
#[instrument_agent(id = "ornithologist", action = "stream")]
async fn stream(client: &Client) -> genai::Result<()> {
    let options = ChatOptions::default().with_capture_usage(true);
    let question = question("And what does it eat?");
    let mut events = client.exec_chat_stream(MODEL, question, Some(&options)).await?.stream;
    while let Some(event) = events.next().await {
        event?;
    }
    Ok(())
}

#[instrument_workflow(id = "birds")]
async fn birds(client: &Client) -> genai::Result<Option<String>> {
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
    let endpoint = Endpoint::from_owned(format!("{}/", api.url));
    let provider = (endpoint, AuthData::from_single(api.key.clone()));
    let client = Client::builder()
        .with_adapter_kind(AdapterKind::OpenAI)
        .append_provider_config(AdapterKind::OpenAI, provider)
        .build()?;
    println!("{}", birds(&client).await?.unwrap_or_default());
    telemetry.shutdown().await;
    Ok(())
}
