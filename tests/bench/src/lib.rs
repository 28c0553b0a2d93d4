//! The same workflow and the same agent in three implementations: with hub-otel, by hand and with
//! `tracing`. They emit the same telemetry into the same SDK, which tests/alike.rs checks.

pub mod by_hand;
pub mod by_hub;
pub mod by_tracing;
pub mod count;
pub mod emitted;
pub mod scenario;
pub mod sdk;

/// Error of the work.
#[derive(Debug)]
pub struct WorkError;

impl std::fmt::Display for WorkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the work failed")
    }
}

impl std::error::Error for WorkError {}

/// Work without any cost, so that only the telemetry is measured.
pub async fn work(fails: bool) -> Result<u32, WorkError> {
    if std::hint::black_box(fails) { Err(WorkError) } else { Ok(1) }
}

/// Polls a future that is ready at the first poll.
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the work never waits"),
    }
}
