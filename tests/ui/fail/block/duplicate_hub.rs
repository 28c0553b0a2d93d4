use hub_otel::instrument_agent;

struct Scanner;

#[instrument_agent]
impl Scanner {
    #[hub(gen_ai)]
    #[hub(root)]
    async fn scan(&self) {}
}

fn main() {}
