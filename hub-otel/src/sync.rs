//! The primitives of what several threads share, under one name: `tests/shuttle` compiles the same files with a
//! model checker's in their place.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::MutexGuard;
pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::PoisonError;
pub(crate) use std::sync::TryLockError;
pub(crate) use std::sync::atomic;
