//! Expands an annotated item: the item itself with one call of the runtime around its body.
//!
//! Generated code refers to `hub_otel::__private` and to the user's own tokens only. If there are
//! errors, the item is emitted unchanged next to them, so that rustc reports no further errors
//! about a missing item.

mod admission;
mod attributes;
mod block;
mod callsite;
mod classifier;
mod disabled;
mod function;
mod lints;
mod parameters;
mod stream;

use crate::args::Arguments;
use crate::check;
use crate::errors::Errors;
use crate::item::{Function, Item, is_hub};
use crate::macro_kind::MacroKind;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// Input of the expansion of one function.
pub(crate) struct Expansion<'a> {
    pub(crate) kind: &'a MacroKind,
    pub(crate) function: &'a Function,
    pub(crate) arguments: &'a Arguments,
    /// `::hub_otel::__private`, or `path::__private` with `crate = path`.
    pub(crate) runtime: TokenStream,
}

/// Expands the attribute `kind` with `arguments` on `item`.
pub(crate) fn expand_attribute(
    kind: &MacroKind,
    arguments: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let errors = Errors::default();
    let arguments = Arguments::parse(kind, arguments, &errors);
    let (unchanged, expanded) = match syn::parse2(item.clone()) {
        Ok(Item::Function(mut function)) => {
            check::check_function(kind, &function, &arguments, &errors);
            let expanded = if errors.is_empty() {
                expand_function(kind, &function, &arguments, false)
            } else {
                quote!()
            };
            function.attrs.retain(|attribute| !is_hub(attribute));
            (function.into_token_stream(), expanded)
        }
        Ok(Item::Block(block)) => {
            (block.without_hub(), block::expand_block(kind, &block, &arguments, &errors))
        }
        Ok(Item::Other(keyword)) => {
            check::reject_item(kind, &keyword, &errors);
            (item, quote!())
        }
        Err(error) => {
            errors.push(error);
            (item, quote!())
        }
    };
    if errors.is_empty() {
        return expanded;
    }
    let mut tokens = errors.into_tokens();
    unchanged.to_tokens(&mut tokens);
    tokens
}

/// Expands one function. `keep_signature`: another macro above the block reads its methods and has
/// to find an `async fn`.
fn expand_function(
    kind: &MacroKind,
    function: &Function,
    arguments: &Arguments,
    keep_signature: bool,
) -> TokenStream {
    let runtime = match arguments.crate_path() {
        Some(path) => quote!(#path::__private),
        None => quote!(::hub_otel::__private),
    };
    let unit = Expansion { kind, function, arguments, runtime };
    if cfg!(feature = "enabled") {
        function::wrap_function(&unit, keep_signature)
    } else {
        disabled::emit_disabled(&unit)
    }
}

#[cfg(test)]
mod tests;
