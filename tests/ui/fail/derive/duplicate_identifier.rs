use hub_otel::Label;

#[derive(Label)]
enum Region {
    EuWest,
    #[hub(rename = "eu_west")]
    Dublin,
}

fn main() {}
