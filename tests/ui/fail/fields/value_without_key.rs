use hub_otel::instrument_workflow;

#[instrument_workflow(fields(plan.len()))]
async fn sync(plan: Vec<u8>) {
    drop(plan);
}

fn main() {}
