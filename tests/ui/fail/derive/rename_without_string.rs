use hub_otel::ErrorType;

#[derive(ErrorType)]
enum ScanError {
    #[hub(rename = deadline)]
    Deadline,
}

fn main() {}
