//! rig 0.44 under hub-otel: an agent with a tool, then a streamed reply.
//!
//! - rig reports through `tracing` spans, which `init!()` exports. rig adopts the current span, and
//!   a unit is one: `#[instrument_agent]` takes the place of rig's own `invoke_agent` span, and the
//!   spans of the model calls and tools are its children.
//! - A tool whose function is an agent too nests below rig's span of the tool.
//! - A hook of rig checks the budget of the run before each call of the model, because the call of
//!   another library is charged and not refused. `MAX_CALLS` sets the limit.
//! - rig records no content unless `record_content_telemetry(true)` is set on the agent.
//!
//! Run: `OTEL_TRACES_EXPORTER=console cargo run --bin rig` prints the trace on stderr.

use futures_util::StreamExt;
use guides::{Api, MODEL, script};
use hub_otel::{current, instrument_agent, instrument_workflow};
use rig::agent::{AgentHook, CompletionCallAction, CompletionCallEvent, HookContext};
use rig::prelude::*;
use rig::providers::openai::OpenAIConfig;
use rig::tool::ToolExecutionError;
use std::error::Error;

/// A tool of rig, and a unit of its own.
#[rig::rig_tool(description = "Wingspan of a bird in metres", required(bird))]
async fn wingspan(bird: String) -> Result<f64, ToolExecutionError> {
    measure(&bird).await.ok_or_else(|| ToolExecutionError::not_found("no such bird"))
}

#[instrument_agent(id = "measure", action = "look_up", fields(bird))]
async fn measure(bird: &str) -> Option<f64> {
    (bird == "heron").then_some(1.9)
}

/// Stops a run of rig before the call that would exceed the budget.
struct WithinBudget;

impl AgentHook for WithinBudget {
    async fn on_completion_call(
        &self,
        _: &HookContext,
        _: CompletionCallEvent<'_>,
    ) -> CompletionCallAction {
        match current().check_budget() {
            Ok(()) => CompletionCallAction::Continue,
            Err(exceeded) => CompletionCallAction::stop(exceeded.to_string()),
        }
    }
}

#[instrument_agent(id = "ornithologist", action = "reply")]
async fn reply(model: &Agent) -> Result<String, PromptError> {
    let response = model.prompt("How wide is a heron?").max_turns(3).await?;
    Ok(response.output().to_owned())
}

/// The unit ends with the call; the stream is read inside of it.
#[instrument_agent(id = "ornithologist", action = "stream")]
async fn stream(model: &Agent) -> Result<(), PromptError> {
    let mut items = model.prompt("And what does it eat?").stream();
    while let Some(item) = items.next().await {
        item?;
    }
    Ok(())
}

#[instrument_workflow(id = "birds", budget(llm_calls = max_calls))]
async fn birds(api: &Api, max_calls: u64) -> Result<String, Box<dyn Error + Send + Sync>> {
    let openai = OpenAIConfig::new(api.key.clone()).with_base_url(&api.url).client();
    let model = AgentBuilder::new(openai.chat(MODEL)).tool(Wingspan).add_hook(WithinBudget).build();
    let text = reply(&model).await?;
    stream(&model).await?;
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let telemetry = hub_otel::init!()?;
    let api = Api::from_env_or(script::rig()).await?;
    let max_calls = std::env::var("MAX_CALLS").map_or(Ok(20), |calls| calls.parse())?;
    let reply = birds(&api, max_calls).await;
    telemetry.shutdown().await;
    match reply {
        Ok(text) => println!("{text}"),
        Err(error) => println!("stopped: {error}"),
    }
    Ok(())
}
