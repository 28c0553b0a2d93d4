//! The same workflow and the same agent in five implementations: with hub-otel, by hand, by hand
//! with bound instruments, with `tracing` and with fastrace. Each one exports through its complete
//! pipeline: spans by OTLP/gRPC to a receiver in another process, metrics on `/metrics`.
//!
//! tests/alike.rs checks that the receiver gets the same spans and the scraper the same series.

pub mod by_hand;
pub mod by_hub;
pub mod by_sqlx;
pub mod by_tracing;
pub mod check;
pub mod commands;
pub mod count;
pub mod manual_metrics;
pub mod manual_pipeline;
pub mod measure;
pub mod panel;
pub mod receiver;
pub mod scenario;
pub mod shared;

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

/// Work that is pending `polls` times before it returns.
pub async fn work_of(polls: usize) -> Result<u32, WorkError> {
    for _ in 0..polls {
        let mut pending = true;
        std::future::poll_fn(|_| {
            if std::mem::take(&mut pending) {
                std::task::Poll::Pending
            } else {
                std::task::Poll::Ready(())
            }
        })
        .await;
    }
    Ok(1)
}

/// Polls a future until it is ready. The work never waits for a waker.
pub fn ready<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
