use hub_otel::Label;

#[derive(Label)]
enum Region {
    #[hub(rename = "eu west")]
    EuWest,
}

fn main() {}
