use hub_otel::instrument_workflow;

#[instrument_workflow]
async fn sync() -> Result<u8, String> {
    let size: u8 = "three";
    Ok(size)
}

fn main() {}
