use hub_otel::instrument_workflow;

#[instrument_workflow(keep_async)]
fn sync() -> impl Future<Output = ()> {
    async {}
}

fn main() {}
