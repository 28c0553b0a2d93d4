//! Synchronization primitives under one path: `tests/shuttle` compiles the same files with the
//! primitives of a model checker.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::Mutex;
pub(crate) use std::sync::MutexGuard;
pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::PoisonError;
pub(crate) use std::sync::TryLockError;
pub(crate) use std::sync::atomic;
