//! The same workflow and the same agent, three times: by hub-otel, by hand, by `tracing`. Each is written to emit the
//! same telemetry into the same SDK; tests/alike.rs holds what they deliver against each other.

pub mod by_hand;
pub mod by_hub;
pub mod by_tracing;
pub mod count;
pub mod emitted;
pub mod scenario;
pub mod sdk;

/// What the work can end with.
#[derive(Debug)]
pub struct WorkError;

impl std::fmt::Display for WorkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the work failed")
    }
}

impl std::error::Error for WorkError {}

/// The work itself: nothing, so that only the telemetry is measured.
pub async fn work(fails: bool) -> Result<u32, WorkError> {
    if std::hint::black_box(fails) { Err(WorkError) } else { Ok(1) }
}

/// Polls a future that is ready at once.
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the work never waits"),
    }
}
