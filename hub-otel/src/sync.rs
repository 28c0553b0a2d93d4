//! The primitives of what several threads share, under one name: `tests/interleavings` compiles the same files with a
//! model checker's in their place.

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, atomic};
