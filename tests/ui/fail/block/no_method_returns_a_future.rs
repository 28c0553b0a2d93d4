use hub_otel::instrument_agent;

struct Scanner;

#[instrument_agent]
impl Scanner {
    fn name(&self) -> &str {
        "scanner"
    }
}

fn main() {}
