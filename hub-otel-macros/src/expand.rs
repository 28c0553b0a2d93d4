//! Writes what an annotated item becomes: the user's item around one call of the runtime.
//!
//! Generated code names `hub_otel::__private` and the user's own tokens, nothing else. Where anything is wrong, the item
//! is emitted as it was written beside the errors, so that ours are the only ones.

mod attributes;
mod block;
mod callsite;
mod classifier;
mod disabled;
mod function;
mod parameters;

use crate::args::Arguments;
use crate::check;
use crate::errors::Errors;
use crate::item::{Function, Item, is_hub};
use crate::macro_kind::MacroKind;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// One annotated function on its way out.
pub(crate) struct Expansion<'a> {
    pub(crate) kind: &'a MacroKind,
    pub(crate) function: &'a Function,
    pub(crate) arguments: &'a Arguments,
    /// `::hub_otel::__private`, or where `crate = path` says.
    pub(crate) runtime: TokenStream,
}

/// What the attribute `preset` with `arguments` makes of `item`.
pub(crate) fn expand_attribute(
    kind: &MacroKind,
    arguments: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let errors = Errors::default();
    let arguments = Arguments::parse(kind, arguments, &errors);
    let (plain, expanded) = match syn::parse2(item.clone()) {
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
            (block.plain(), block::expand_block(kind, &block, &arguments, &errors))
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
    plain.to_tokens(&mut tokens);
    tokens
}

/// `wrapped`: another macro stands above the methods of a block and expects what it sees, an `async fn`.
fn expand_function(
    kind: &MacroKind,
    function: &Function,
    arguments: &Arguments,
    wrapped: bool,
) -> TokenStream {
    let runtime = match arguments.root() {
        Some(path) => quote!(#path::__private),
        None => quote!(::hub_otel::__private),
    };
    let unit = Expansion { kind, function, arguments, runtime };
    if cfg!(feature = "enabled") {
        function::wrap_function(&unit, wrapped)
    } else {
        disabled::emit_disabled(&unit)
    }
}

#[cfg(test)]
mod tests;
