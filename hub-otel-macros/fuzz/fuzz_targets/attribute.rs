//! For any arguments and any item the macros return tokens and never panic.
//!
//! `just fuzz` runs it for a minute. The input is the arguments, a line feed, and the item.

#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "the modules of the macro crate, of which this is one user"
)]

// The module has the path of the macro crate, so that its modules find their submodules. The `use`
// below makes them available at the root, where they refer to each other.
#[path = "../../src"]
mod macros {
    pub(crate) mod args;
    pub(crate) mod check;
    pub(crate) mod derives;
    pub(crate) mod errors;
    pub(crate) mod expand;
    pub(crate) mod item;
    pub(crate) mod macro_kind;
    pub(crate) mod table;
}
use macros::{args, check, derives, errors, expand, item, macro_kind, table};

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

fuzz_target!(|input: &str| {
    let (arguments, item) = input
        .split_once('\n')
        .unwrap_or((input, "async fn f(&self, run: &Run) -> Result<u8, E> { g().await }"));
    let (Ok(arguments), Ok(item)) = (arguments.parse::<TokenStream>(), item.parse::<TokenStream>())
    else {
        return;
    };
    for kind in macro_kind::ALL {
        let _ = expand::expand_attribute(kind, arguments.clone(), item.clone());
    }
    if let Ok(derived) = syn::parse2(item) {
        let _ = (derives::derive_label(&derived), derives::derive_error_type(&derived));
    }
});
