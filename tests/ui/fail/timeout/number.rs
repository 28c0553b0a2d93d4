use hub_otel::instrument_workflow;

#[instrument_workflow(timeout = 30)]
async fn sync() -> Result<u8, String> {
    Ok(1)
}

fn main() {}
