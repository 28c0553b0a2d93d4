use hub_otel::instrument_agent;

struct Scanner;

#[instrument_agent]
impl Scanner {
    #[hub]
    const fn size(&self) -> u8 {
        1
    }
    async fn plan(&self) {}
}

fn main() {}
