use hub_otel::instrument_agent;

struct Scanner;

#[instrument_agent]
impl Scanner {
    const SIZE: u8 = 1;
}

fn main() {}
