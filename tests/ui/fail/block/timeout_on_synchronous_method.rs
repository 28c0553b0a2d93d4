use hub_otel::instrument_agent;

struct Scanner;

#[instrument_agent]
impl Scanner {
    #[hub(timeout = std::time::Duration::from_secs(1))]
    fn size(&self) -> u8 {
        1
    }
}

fn main() {}
