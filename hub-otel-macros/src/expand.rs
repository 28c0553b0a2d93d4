//! Writes what an annotated item becomes: the user's item around one call of the runtime.
//!
//! Generated code names `hub_otel::__private` and the user's own tokens, nothing else. Where anything is wrong, the item
//! is emitted as it was written beside the errors, so that ours are the only ones.

mod attributes;
mod block;
mod function;
mod off;
mod outcome;
mod parameters;
mod site;

use crate::args::Arguments;
use crate::check;
use crate::errors::Errors;
use crate::item::{Function, Item, is_hub};
use crate::preset::Preset;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

/// One annotated function on its way out.
pub(crate) struct Unit<'a> {
    pub(crate) preset: &'a Preset,
    pub(crate) function: &'a Function,
    pub(crate) arguments: &'a Arguments,
    /// `::hub_otel::__private`, or where `crate = path` says.
    pub(crate) runtime: TokenStream,
}

/// What the attribute `preset` with `arguments` makes of `item`.
pub(crate) fn attribute(preset: &Preset, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let errors = Errors::default();
    let arguments = Arguments::parse(preset, arguments, &errors);
    let (plain, expanded) = match syn::parse2(item.clone()) {
        Ok(Item::Function(mut function)) => {
            check::function(preset, &function, &arguments, &errors);
            let expanded = if errors.is_empty() {
                self::function(preset, &function, &arguments, false)
            } else {
                quote!()
            };
            function.attrs.retain(|attribute| !is_hub(attribute));
            (function.into_token_stream(), expanded)
        }
        Ok(Item::Block(block)) => {
            (block.plain(), block::expand(preset, &block, &arguments, &errors))
        }
        Ok(Item::Other(keyword)) => {
            check::other(preset, &keyword, &errors);
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
fn function(
    preset: &Preset,
    function: &Function,
    arguments: &Arguments,
    wrapped: bool,
) -> TokenStream {
    let runtime = match arguments.root() {
        Some(path) => quote!(#path::__private),
        None => quote!(::hub_otel::__private),
    };
    let unit = Unit { preset, function, arguments, runtime };
    if cfg!(feature = "enabled") { function::expand(&unit, wrapped) } else { off::expand(&unit) }
}

#[cfg(test)]
mod tests;
