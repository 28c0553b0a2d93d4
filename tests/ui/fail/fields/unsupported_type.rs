use hub_otel::instrument_workflow;

#[instrument_workflow(fields(plan))]
async fn sync(plan: Plan) {
    drop(plan);
}

struct Plan;

fn main() {}
