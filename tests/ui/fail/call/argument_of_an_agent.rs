use hub_otel::instrument_llm;

#[instrument_llm(id = "chat", labels(urgent = true), name = "GPT")]
async fn chat() {}

fn main() {}
