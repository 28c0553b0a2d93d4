//! The run: a workflow with a budget, the agent that talks with the model, and its sub-agent.

use crate::error::AssistantError;
use crate::openai::{OpenAi, with_retries};
use crate::tools::{Folder, ToolCall, definitions};
use futures_util::{StreamExt, future, pin_mut};
use hub_otel::{instrument_agent, instrument_workflow};
use serde_json::{Value, json};
use std::io::Write;

/// Turns of one reply.
const MAX_TURNS: usize = 8;

pub(crate) struct Assistant {
    pub(crate) openai: OpenAi,
    pub(crate) folder: Folder,
    pub(crate) limits: Limits,
}

/// Budget of a run.
#[derive(Debug, clap::Args)]
pub(crate) struct Limits {
    /// Largest cost of a run in US dollars.
    #[arg(long = "max-usd", default_value_t = 0.05)]
    usd: f64,
    /// Largest number of model calls of a run.
    #[arg(long = "max-calls", default_value_t = 20)]
    calls: u64,
}

/// A turn of the model: text, and calls of tools.
#[derive(Default)]
struct Turn {
    text: String,
    calls: Vec<ToolCall>,
}

impl Assistant {
    /// One question. A call of a model that would exceed the budget is not made.
    #[instrument_workflow(
        id = "assistant",
        trigger = "cli",
        budget(usd = self.limits.usd, llm_calls = self.limits.calls),
    )]
    pub(crate) async fn run(&self, question: &str) -> Result<String, AssistantError> {
        self.reply(question).await
    }

    /// The chat loop: model, tools, model, until a turn calls no tool.
    #[instrument_agent(id = "librarian", action = "reply")]
    async fn reply(&self, question: &str) -> Result<String, AssistantError> {
        let mut messages = vec![
            json!({ "role": "system", "content": "You help with the files of one folder." }),
            json!({ "role": "user", "content": question }),
        ];
        for _ in 0..MAX_TURNS {
            let turn = with_retries(async || self.turn(&messages).await).await?;
            if turn.calls.is_empty() {
                return Ok(turn.text);
            }
            messages.push(turn.message());
            let results = turn.calls.iter().map(|call| self.execute(call));
            for (call, result) in turn.calls.iter().zip(future::join_all(results).await) {
                let content = match result {
                    Ok(text) => text,
                    Err(error @ AssistantError::OverBudget(_)) => return Err(error),
                    // The model reads an error as a result, and can do something else.
                    Err(error) => format!("error: {error}"),
                };
                messages
                    .push(json!({ "role": "tool", "tool_call_id": call.id, "content": content }));
            }
        }
        Err(AssistantError::TooManyTurns)
    }

    /// One streamed turn. Prints the text as it arrives.
    async fn turn(&self, messages: &[Value]) -> Result<Turn, AssistantError> {
        let tools = definitions();
        let events = self.openai.stream(messages, &tools);
        pin_mut!(events);
        let mut turn = Turn::default();
        while let Some(event) = events.next().await {
            let delta = &event?["choices"][0]["delta"];
            if let Some(piece) = delta["content"].as_str() {
                show(piece);
                turn.text.push_str(piece);
            }
            for part in delta["tool_calls"].as_array().into_iter().flatten() {
                turn.add(part);
            }
        }
        Ok(turn)
    }

    async fn execute(&self, call: &ToolCall) -> Result<String, AssistantError> {
        match call.name.as_str() {
            "list_files" => self.folder.list_files(call).await,
            "read_file" => self.folder.read_file(call).await,
            "write_file" => self.folder.write_file(call).await,
            "summarize" => self.summarize(call).await,
            _ => Err(AssistantError::Protocol("tool of that name")),
        }
    }

    /// A sub-agent: reads the file and calls the model itself.
    #[instrument_agent(id = "summarizer", action = "summarize")]
    async fn summarize(&self, call: &ToolCall) -> Result<String, AssistantError> {
        let text = self.folder.read_file(call).await?;
        let messages = [
            json!({ "role": "system", "content": "Summarize the text in one sentence." }),
            json!({ "role": "user", "content": text }),
        ];
        with_retries(async || self.openai.chat(&messages).await).await
    }
}

impl Turn {
    /// Adds a part of a call: the first one has id and name, each one a piece of the arguments.
    fn add(&mut self, part: &Value) {
        if let (Some(id), Some(name)) = (part["id"].as_str(), part["function"]["name"].as_str()) {
            let (id, name) = (id.to_owned(), name.to_owned());
            self.calls.push(ToolCall { id, name, arguments: String::new() });
        }
        let index = part["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        let call = index.and_then(|index| self.calls.get_mut(index));
        if let (Some(call), Some(piece)) = (call, part["function"]["arguments"].as_str()) {
            call.arguments.push_str(piece);
        }
    }

    /// The turn as a message of the conversation.
    fn message(&self) -> Value {
        let calls = self.calls.iter().map(|call| {
            let function = json!({ "name": call.name, "arguments": call.arguments });
            json!({ "id": call.id, "type": "function", "function": function })
        });
        let calls: Vec<_> = calls.collect();
        json!({ "role": "assistant", "content": self.text, "tool_calls": calls })
    }
}

#[expect(clippy::print_stdout, reason = "the program's output")]
fn show(piece: &str) {
    print!("{piece}");
    // A closed pipe ends the output, not the run.
    let _closed = std::io::stdout().flush();
}
