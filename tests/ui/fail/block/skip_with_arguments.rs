use hub_otel::instrument_agent;

struct Scanner;

#[instrument_agent]
impl Scanner {
    #[hub(skip, action = "scan")]
    async fn scan(&self) {}
    async fn plan(&self) {}
}

fn main() {}
