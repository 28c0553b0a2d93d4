use hub_otel::instrument_workflow;

#[instrument_workflow(labels(user))]
async fn sync(user: String) {
    drop(user);
}

fn main() {}
