use hub_otel::ErrorType;

#[derive(ErrorType)]
enum ScanError {
    #[hub(transparent)]
    Format(std::fmt::Error),
}

fn main() {}
