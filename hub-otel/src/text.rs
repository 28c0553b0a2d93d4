//! Text of the user's values: bounded, written by code that may fail, and without secret URLs.

pub(crate) mod bounded;
pub(crate) mod redact;
