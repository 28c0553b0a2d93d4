#![deny(unfulfilled_lint_expectations)]

use hub_otel::instrument_agent;

#[instrument_agent]
async fn sync(#[expect(unused_variables)] used: u8, #[expect(unused_variables)] idle: u8) -> u8 {
    used
}

fn main() {}
