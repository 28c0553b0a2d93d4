use hub_otel::Label;

#[derive(Label)]
enum Region {
    Named(String),
}

fn main() {}
