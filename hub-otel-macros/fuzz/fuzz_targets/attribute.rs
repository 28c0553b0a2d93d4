//! Whatever stands in the parentheses and below the attribute, the macro answers with tokens: it never panics.
//!
//! `just fuzz` runs it for a minute. The input is the arguments, a line feed, and the item.

#![no_main]
#![allow(dead_code, unused_imports, reason = "the modules of the macro crate, of which this is one user")]

#[path = "../../src/args.rs"]
mod args;
#[path = "../../src/check.rs"]
mod check;
#[path = "../../src/derives.rs"]
mod derives;
#[path = "../../src/errors.rs"]
mod errors;
#[path = "../../src/expand.rs"]
mod expand;
#[path = "../../src/item.rs"]
mod item;
#[path = "../../src/preset.rs"]
mod preset;
#[path = "../../src/suggest.rs"]
mod suggest;

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

fuzz_target!(|input: &str| {
    let (arguments, item) = input.split_once('\n').unwrap_or((input, "async fn f(&self, run: &Run) -> Result<u8, E> { g().await }"));
    let (Ok(arguments), Ok(item)) = (arguments.parse::<TokenStream>(), item.parse::<TokenStream>()) else { return };
    for preset in preset::ALL {
        let _ = expand::attribute(preset, arguments.clone(), item.clone());
    }
    if let Ok(derived) = syn::parse2(item) {
        let _ = (derives::label(&derived), derives::error_type(&derived));
    }
});
