use hub_otel::instrument_workflow;

#[instrument_workflow(timeout = std::time::Duration::from_secs(1))]
fn sync() -> Result<u8, String> {
    Ok(1)
}

fn main() {}
