//! The attribute macros of [hub-otel](https://docs.rs/hub-otel). Use them through that crate.

mod expand;

use proc_macro::TokenStream;

/// One segment of a workflow's run around the annotated function.
#[proc_macro_attribute]
pub fn instrument_workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(expand::Preset::Workflow, arguments.into(), item.into()).into()
}

/// One logical execution of an agent around the annotated function.
#[proc_macro_attribute]
pub fn instrument_agent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(expand::Preset::Agent, arguments.into(), item.into()).into()
}
