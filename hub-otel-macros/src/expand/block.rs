//! An `impl` block: every method that is a future, and those that ask for it by `#[hub]`.
//!
//! A synchronous method is left alone unless it says otherwise: getters are no units of work, and `id = self.id()` would
//! call itself for ever.

use super::attributes;
use crate::args::Arguments;
use crate::check;
use crate::errors::{Errors, nearest_name};
use crate::item::{Function, ImplBlock, Member, Shape};
use crate::macro_kind::MacroKind;
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Meta};

/// The block with its methods expanded. Where `errors` are, nothing of it is used.
pub(super) fn expand_block(
    kind: &MacroKind,
    block: &ImplBlock,
    arguments: &Arguments,
    errors: &Errors,
) -> TokenStream {
    let wrapped = attributes::needs_async(&block.attrs);
    let mut instrumented = 0;
    let mut members = TokenStream::new();
    for member in &block.members {
        match member {
            Member::Tokens(rest) => rest.to_tokens(&mut members),
            Member::Method(method, hub) => match decide(kind, method, hub, arguments, errors) {
                Decision::Leave => method.to_tokens(&mut members),
                Decision::Refused => instrumented += 1,
                Decision::Instrument(arguments) => {
                    instrumented += 1;
                    check::check_method(kind, method, &arguments, errors);
                    if errors.is_empty() {
                        super::expand_function(kind, method, &arguments, wrapped)
                            .to_tokens(&mut members);
                    }
                }
            },
        }
    }
    check::check_block(kind, block, arguments, instrumented, errors);
    block.around(members)
}

enum Decision {
    Leave,
    Instrument(Arguments),
    /// Its `#[hub(…)]` is wrong, and `errors` says why.
    Refused,
}

fn decide(
    kind: &MacroKind,
    method: &Function,
    hub: &[Attribute],
    block: &Arguments,
    errors: &Errors,
) -> Decision {
    if let Some(second) = hub.get(1) {
        errors.at(second, "`#[hub(…)]` is given twice; write all arguments in one");
        return Decision::Refused;
    }
    let Some(hub) = hub.first() else {
        let is_future = method.shape(false) != Shape::Sync && method.body.is_some();
        return if is_future && !check::has_own_attribute(method) {
            Decision::Instrument(block.clone())
        } else {
            Decision::Leave
        };
    };
    let tokens = match &hub.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            errors
                .at(hub, "write `#[hub(skip)]`, or `#[hub(…)]` with the arguments of this method");
            return Decision::Refused;
        }
    };
    match word(&tokens) {
        Some(word) if word == "skip" => {
            if tokens.into_iter().count() > 1 {
                errors.at(word, "`skip` stands alone: a method that is skipped has no arguments");
                return Decision::Refused;
            }
            Decision::Leave
        }
        Some(word) if is_misspelt_skip(kind, &word) => {
            errors.at(&word, format_args!("unknown argument `{word}`; did you mean `skip`?"));
            Decision::Refused
        }
        _ => Decision::Instrument(Arguments::parse(kind, tokens, errors).over(block)),
    }
}

/// The first word of the arguments.
fn word(tokens: &TokenStream) -> Option<Ident> {
    syn::parse::Parser::parse2(
        |input: syn::parse::ParseStream<'_>| {
            let word = syn::ext::IdentExt::parse_any(input)?;
            input.parse::<TokenStream>()?;
            Ok(word)
        },
        tokens.clone(),
    )
    .ok()
}

fn is_misspelt_skip(kind: &MacroKind, word: &Ident) -> bool {
    let word = word.to_string();
    kind.argument_names().all(|name| name != word)
        && nearest_name(&word, kind.argument_names().chain(["skip"])) == Some("skip")
}
