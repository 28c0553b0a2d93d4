use hub_otel::ErrorType;

#[derive(ErrorType)]
union ScanError {
    code: u8,
}

fn main() {}
