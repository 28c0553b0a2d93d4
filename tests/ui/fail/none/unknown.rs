use hub_otel::instrument_workflow;

#[instrument_workflow(none = failure)]
async fn sync() -> Option<u8> {
    None
}

fn main() {}
