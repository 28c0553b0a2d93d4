use hub_otel::instrument_agent;

struct Scanner;

#[instrument_agent]
impl Scanner {
    #[hub(actoin = "scan")]
    async fn scan(&self) {}
}

fn main() {}
