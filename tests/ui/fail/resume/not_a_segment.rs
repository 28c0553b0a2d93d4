use hub_otel::instrument_workflow;

#[instrument_workflow(resume = segment)]
async fn sync(segment: u32) {
    let _ = segment;
}

fn main() {}
