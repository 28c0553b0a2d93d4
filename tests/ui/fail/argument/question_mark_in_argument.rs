use hub_otel::instrument_workflow;

#[instrument_workflow(id = name()?)]
async fn sync() -> Result<(), String> {
    Ok(())
}

fn name() -> Result<String, String> {
    Ok(String::new())
}

fn main() {}
