//! The attribute macros of [hub-otel](https://docs.rs/hub-otel). Use them through that crate.

use proc_macro::TokenStream;

/// One segment of a workflow's run around the annotated function.
#[proc_macro_attribute]
pub fn instrument_workflow(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// One logical execution of an agent around the annotated function.
#[proc_macro_attribute]
pub fn instrument_agent(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}
