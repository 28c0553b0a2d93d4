#[derive(Debug)]
struct SyncError;

impl std::fmt::Display for SyncError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no luck")
    }
}

async fn sync() -> Result<(), SyncError> {
    Err(SyncError)
}

fn main() {
    let _ = hub_otel::workflow("sync").run(sync());
}
