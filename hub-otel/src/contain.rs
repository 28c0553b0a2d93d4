//! Calls of the user's code by telemetry: a panic in it does not reach the program.
//!
//! The panic hook still reports it. With `panic = "abort"` nothing can be contained.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `code`. Returns `None` if it panics.
#[inline]
pub(crate) fn contain<T>(code: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops the payload of a panic, whose destructor may panic too.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

#[cfg(test)]
mod tests {
    use super::contain;

    #[test]
    fn a_panic_whose_payload_panics_when_it_is_dropped_is_contained() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                std::panic::resume_unwind(Box::new(()));
            }
        }
        assert_eq!(contain(|| 7), Some(7));
        assert_eq!(contain::<()>(|| std::panic::resume_unwind(Box::new(Bomb))), None);
    }
}
