use hub_otel::ErrorType;

#[derive(ErrorType)]
enum ScanError {
    #[hub(transparent)]
    Io,
}

fn main() {}
