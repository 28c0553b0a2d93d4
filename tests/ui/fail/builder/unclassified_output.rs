async fn sync() -> u8 {
    1
}

fn main() {
    let _ = hub_otel::workflow("sync").run(sync());
}
