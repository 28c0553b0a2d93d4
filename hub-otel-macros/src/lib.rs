//! The attribute macros of [hub-otel](https://docs.rs/hub-otel). Use them through that crate.

mod args;
mod check;
mod derives;
mod errors;
mod expand;
mod item;
mod preset;
mod suggest;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// One segment of a workflow's run around the annotated function.
#[proc_macro_attribute]
pub fn instrument_workflow(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(&preset::WORKFLOW, arguments.into(), item.into()).into()
}

/// One logical execution of an agent around the annotated function.
#[proc_macro_attribute]
pub fn instrument_agent(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(&preset::AGENT, arguments.into(), item.into()).into()
}

/// A closed set of metric label values: one for each variant.
#[proc_macro_derive(Label, attributes(hub))]
pub fn derive_label(item: TokenStream) -> TokenStream {
    derives::label(&parse_macro_input!(item as DeriveInput)).into()
}

/// A stable identifier for each kind of error.
#[proc_macro_derive(ErrorType, attributes(hub))]
pub fn derive_error_type(item: TokenStream) -> TokenStream {
    derives::error_type(&parse_macro_input!(item as DeriveInput)).into()
}
