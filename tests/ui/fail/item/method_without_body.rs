use hub_otel::instrument_workflow;

trait Job {
    #[instrument_workflow]
    async fn run(&self);
}

fn main() {}
