use hub_otel::instrument_workflow;

#[instrument_workflow(id = order)]
async fn sync(order: Order) {
    drop(order);
}

struct Order;

fn main() {}
