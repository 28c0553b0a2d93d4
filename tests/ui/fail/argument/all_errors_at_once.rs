use hub_otel::instrument_workflow;

#[instrument_workflow(nmae = "n", id, root = true, fields(a.b()), kind = cilent)]
const fn sync() {}

fn main() {}
