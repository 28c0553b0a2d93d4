use hub_otel::instrument_workflow;

#[instrument_workflow(ret(|plan| plan))]
async fn sync() -> Plan {
    Plan
}

struct Plan;

fn main() {}
