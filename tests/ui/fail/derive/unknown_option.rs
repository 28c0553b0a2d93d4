use hub_otel::ErrorType;

#[derive(ErrorType)]
enum ScanError {
    #[hub(timedout)]
    Deadline,
}

fn main() {}
