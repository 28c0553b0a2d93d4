use hub_otel::instrument_workflow;

#[instrument_workflow(span_name = format!("sync {user}"))]
async fn sync(user: &str) {
    let _ = user;
}

fn main() {}
