use hub_otel::Label;

#[derive(Label)]
struct Region;

fn main() {}
