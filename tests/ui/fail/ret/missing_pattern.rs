use hub_otel::instrument_workflow;

#[instrument_workflow(ret(size = 1))]
async fn sync() -> Result<u8, String> {
    Ok(1)
}

fn main() {}
