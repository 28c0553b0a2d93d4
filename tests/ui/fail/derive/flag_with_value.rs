use hub_otel::ErrorType;

#[derive(ErrorType)]
enum ScanError {
    #[hub(timed_out = "yes")]
    Deadline,
}

fn main() {}
