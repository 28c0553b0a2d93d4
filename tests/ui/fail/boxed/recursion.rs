use hub_otel::instrument_agent;

#[instrument_agent]
async fn explore(depth: u32) -> u32 {
    if depth == 0 { 1 } else { explore(depth - 1).await + 1 }
}

fn main() {}
