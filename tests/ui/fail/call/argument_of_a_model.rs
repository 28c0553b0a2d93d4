use hub_otel::{instrument_agent, instrument_tool};

#[instrument_tool(model = "gpt-4o")]
async fn search() {}

#[instrument_agent(call_id = "call_1")]
async fn scan() {}

fn main() {}
