use hub_otel::instrument_agent;

#[instrument_agent]
#[hub(skip)]
async fn scan() {}

fn main() {}
