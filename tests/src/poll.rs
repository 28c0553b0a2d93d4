//! Polling of a condition with a deadline.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(5);

/// Result of a probe: `bool`, or `Option` with the awaited value.
pub trait Outcome {
    /// The awaited value.
    type Value;
    /// Returns `Some` once the condition holds.
    fn value(self) -> Option<Self::Value>;
}

impl Outcome for bool {
    type Value = ();
    fn value(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Outcome for Option<T> {
    type Value = T;
    fn value(self) -> Option<T> {
        self
    }
}

/// Calls `probe` until it returns `true` or `Some`. Blocks the thread.
///
/// # Panics
/// If the condition does not hold within `within`.
#[track_caller]
pub fn until<A: Outcome>(within: Duration, mut probe: impl FnMut() -> A) -> A::Value {
    let start = Instant::now();
    loop {
        if let Some(value) = probe().value() {
            return value;
        }
        assert!(start.elapsed() < within, "not true within {within:?}");
        std::thread::sleep(INTERVAL);
    }
}

/// Like [`until`], without blocking the thread of the runtime.
///
/// # Panics
/// If the condition does not hold within `within`.
pub async fn until_async<A: Outcome>(
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
