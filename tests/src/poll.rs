//! Waiting for something to become true, with a deadline and a message, instead of sleeping and
//! hoping.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(5);

/// What a probe may answer: `bool`, or `Option` for the value that was waited for.
pub trait Answer {
    /// The value that was waited for.
    type Value;
    /// `Some` once there is nothing more to wait for.
    fn value(self) -> Option<Self::Value>;
}

impl Answer for bool {
    type Value = ();
    fn value(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Answer for Option<T> {
    type Value = T;
    fn value(self) -> Option<T> {
        self
    }
}

/// Asks `probe` until it answers `true` or `Some`, blocking this thread.
///
/// # Panics
/// When `within` has passed.
#[track_caller]
pub fn until<A: Answer>(within: Duration, mut probe: impl FnMut() -> A) -> A::Value {
    let start = Instant::now();
    loop {
        if let Some(value) = probe().value() {
            return value;
        }
        assert!(start.elapsed() < within, "not true within {within:?}");
        std::thread::sleep(INTERVAL);
    }
}

/// As [`until`], without blocking the thread: the runtime of the test goes on meanwhile.
///
/// # Panics
/// When `within` has passed.
pub async fn until_async<A: Answer>(
    within: Duration,
    mut probe: impl AsyncFnMut() -> A,
) -> A::Value {
    let start = Instant::now();
    loop {
        if let Some(value) = probe().await.value() {
            return value;
        }
        assert!(start.elapsed() < within, "not true within {within:?}");
        tokio::time::sleep(INTERVAL).await;
    }
}
