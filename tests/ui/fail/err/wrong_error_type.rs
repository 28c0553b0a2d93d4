use hub_otel::instrument_workflow;

#[instrument_workflow(err(expected = is_expected))]
async fn sync() -> Result<u8, String> {
    Ok(1)
}

fn is_expected(_: &std::io::Error) -> bool {
    true
}

fn main() {}
