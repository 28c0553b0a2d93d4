//! The live view: access, streams and documents over real HTTP, the page in a real browser.

#![expect(clippy::disallowed_methods, reason = "an application: it starts spans of its own")]

mod access;
mod find;
mod kit;
mod load;
mod page;
mod receive;
mod stream;
