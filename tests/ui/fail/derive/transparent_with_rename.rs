use hub_otel::ErrorType;

#[derive(ErrorType)]
enum ScanError {
    #[hub(transparent, rename = "io")]
    Io(std::io::Error),
}

fn main() {}
