use hub_otel::{instrument_llm, instrument_tool};

#[instrument_tool(tool_name = "search")]
async fn search() {}

#[instrument_llm(system = "openai", modle = "gpt-4o")]
async fn chat() {}

fn main() {}
