//! Expands an `impl` block: every method that returns a future or a stream, and the methods that
//! opt in with `#[hub]`.
//!
//! A synchronous method is left unchanged unless it opts in: a getter is no unit of work, and with
//! `id = self.id()` on the block an instrumented `id` would call itself without end.

use super::attributes;
use crate::args::Arguments;
use crate::check;
use crate::errors::{Errors, nearest_name};
use crate::item::{Declared, Function, ImplBlock, Member, Shape};
use crate::macro_kind::MacroKind;
use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Meta};

/// Returns the block with its methods expanded. The caller discards the result if `errors` is not
/// empty.
pub(super) fn expand_block(
    kind: &MacroKind,
    block: &ImplBlock,
    arguments: &Arguments,
    errors: &Errors,
) -> TokenStream {
    let keep_signature = attributes::needs_async(&block.attrs);
    let mut instrumented = 0;
    let mut members = TokenStream::new();
    for member in &block.members {
        match member {
            Member::Tokens(tokens) => tokens.to_tokens(&mut members),
            Member::Method(method, hub) => {
                match select_method(kind, method, hub, arguments, errors) {
                    Selection::Unchanged => method.to_tokens(&mut members),
                    Selection::Invalid => instrumented += 1,
                    Selection::Instrument(arguments) => {
                        instrumented += 1;
                        check::check_method(kind, method, &arguments, errors);
                        if errors.is_empty() {
                            super::expand_function(kind, method, &arguments, keep_signature)
                                .to_tokens(&mut members);
                        }
                    }
                }
            }
        }
    }
    check::check_block(kind, block, arguments, instrumented, errors);
    block.with_members(members)
}

/// Treatment of one method.
enum Selection {
    Unchanged,
    Instrument(Arguments),
    /// Its `#[hub(…)]` is invalid; the reason is in `errors`.
    Invalid,
}

fn select_method(
    kind: &MacroKind,
    method: &Function,
    hub: &[Attribute],
    block: &Arguments,
    errors: &Errors,
) -> Selection {
    if let Some(second) = hub.get(1) {
        errors.add(second, "duplicate attribute `#[hub(…)]`; write all arguments in one");
        return Selection::Invalid;
    }
    let Some(hub) = hub.first() else {
        let is_lazy = method.shape(Declared::Nothing) != Shape::Sync && method.body.is_some();
        return if is_lazy && !check::has_own_attribute(method) {
            Selection::Instrument(block.clone())
        } else {
            Selection::Unchanged
        };
    };
    let tokens = match &hub.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => list.tokens.clone(),
        Meta::NameValue(_) => {
            errors.add(
                hub,
                "`hub` takes its arguments in parentheses: write `#[hub(skip)]`, or `#[hub(…)]` with \
                 the arguments of this method",
            );
            return Selection::Invalid;
        }
    };
    match first_word(&tokens) {
        Some(word) if word == "skip" => {
            if tokens.into_iter().count() > 1 {
                errors.add(word, "`skip` excludes all other arguments; remove them or `skip`");
                return Selection::Invalid;
            }
            Selection::Unchanged
        }
        Some(word) if is_misspelt_skip(kind, &word) => {
            errors.add(&word, format_args!("unknown argument `{word}`; did you mean `skip`?"));
            Selection::Invalid
        }
        _ => Selection::Instrument(Arguments::parse(kind, tokens, errors).with_defaults(block)),
    }
}

/// First word of the arguments.
fn first_word(tokens: &TokenStream) -> Option<Ident> {
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
