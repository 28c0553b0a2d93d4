use hub_otel::instrument_workflow;

#[instrument_workflow(ret(|out| name = name, total = out.len() + name.len(), out.len))]
async fn sync(name: String) -> String {
    name
}

fn main() {}
