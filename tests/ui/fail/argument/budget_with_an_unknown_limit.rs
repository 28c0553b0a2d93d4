#[hub_otel::instrument_workflow(budget(usd = 1.5, dollars = 2, tokens = %count))]
async fn research(count: u64) {}

#[hub_otel::instrument_agent(budget())]
async fn plan() {}

fn main() {}
