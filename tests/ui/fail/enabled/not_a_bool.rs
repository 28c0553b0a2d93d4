use hub_otel::instrument_workflow;

#[instrument_workflow(enabled = level)]
async fn sync(level: u8) {
    let _ = level;
}

fn main() {}
