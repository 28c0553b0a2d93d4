use hub_otel::{instrument_agent, instrument_workflow};

#[instrument_workflow(action = "scan")]
async fn sync() {}

#[instrument_agent(trigger = "manual")]
async fn scan() {}

fn main() {}
