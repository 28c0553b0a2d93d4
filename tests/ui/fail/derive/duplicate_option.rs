use hub_otel::ErrorType;

#[derive(ErrorType)]
enum ScanError {
    #[hub(rename = "a", rename = "b")]
    Deadline,
}

fn main() {}
