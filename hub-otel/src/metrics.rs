//! The instruments, built from the contract and from nothing else.

pub(crate) mod build;
