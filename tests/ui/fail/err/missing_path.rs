use hub_otel::instrument_workflow;

#[instrument_workflow(err(expected))]
async fn sync() -> Result<u8, String> {
    Ok(1)
}

fn main() {}
