use hub_otel::instrument_workflow;

#[instrument_workflow(status = status_of)]
async fn sync() -> Result<u8, String> {
    Ok(1)
}

fn status_of(_: &u8) -> hub_otel::UnitStatus {
    hub_otel::UnitStatus::Success
}

fn main() {}
