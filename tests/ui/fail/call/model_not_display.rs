use hub_otel::instrument_llm;

struct Model;

#[instrument_llm(provider = "openai", model = model)]
async fn chat(model: Model) {
    let _ = model;
}

fn main() {}
