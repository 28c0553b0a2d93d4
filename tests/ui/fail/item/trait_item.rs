use hub_otel::instrument_workflow;

#[instrument_workflow]
trait Sync {
    fn run(&self);
}

fn main() {}
