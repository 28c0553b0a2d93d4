use hub_otel::{TimedOut, instrument_workflow};

#[instrument_workflow(timeout = seconds)]
async fn sync(seconds: u64) -> Result<u8, TimedOut> {
    Ok(1)
}

fn main() {}
