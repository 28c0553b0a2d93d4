use hub_otel::instrument_workflow;

#[instrument_workflow(fields(plans))]
async fn sync(plans: Vec<Plan>) {
    drop(plans);
}

struct Plan;

fn main() {}
