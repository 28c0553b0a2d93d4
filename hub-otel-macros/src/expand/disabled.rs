//! Expansion without the feature `enabled`: the item as it was written, its timeout, and a closure
//! that is never called.
//!
//! The closure borrows the arguments' expressions, so that their types are still checked and a
//! parameter that only they use is not reported as unused.

use super::Expansion;
use super::callsite::borrow_at_span;
use super::function::call_of_body;
use super::parameters::{Parameters, capture_parameters};
use crate::args::ArgValue;
use crate::item::Shape;
use crate::table::Arg;
use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{ToTokens, quote};

pub(super) fn emit_disabled(unit: &Expansion<'_>) -> TokenStream {
    let function = unit.function;
    let Some(body) = &function.body else { return function.to_token_stream() };
    let mentions = mention_arguments(unit);
    let contents = body.stream();
    let contents = match function.shape(unit.arguments.declared()) {
        _ if !unit.arguments.has(Arg::Timeout) => contents,
        shape => with_timeout(unit, shape, &contents),
    };
    let needs_runtime = unit.arguments.has(Arg::Timeout) || unit.arguments.has(Arg::Labels);
    let import = needs_runtime.then(|| unit.import_runtime());
    let mut block = Group::new(Delimiter::Brace, quote!(#import #mentions #contents));
    block.set_span(body.span());
    let mut tokens = TokenStream::new();
    function.head_to_tokens(&function.attrs, &mut tokens);
    function.sig.to_tokens(&mut tokens);
    block.to_tokens(&mut tokens);
    tokens
}

/// Applies the timeout to the body of a function that is async, or returns a future or a stream.
fn with_timeout(unit: &Expansion<'_>, shape: Shape, contents: &TokenStream) -> TokenStream {
    let Some(expression) = unit.arguments.expression(Arg::Timeout) else {
        return contents.clone();
    };
    let timeout = unit.timeout_statement(expression);
    let Parameters { captures, .. } = capture_parameters(unit, false);
    if shape == Shape::Async {
        let limited = unit.wrap_in_timeout(quote!(async move { #captures #contents }));
        return quote!(#timeout #limited.await);
    }
    let lazy = call_of_body(unit, shape, &quote!(#captures #contents));
    let limited = unit.wrap_in_timeout(lazy);
    let is_opaque = match unit.function.streamed(unit.arguments.declared()) {
        Some(streamed) if shape == Shape::Stream => !streamed.is_boxed,
        _ => shape == Shape::Opaque,
    };
    let limited = if is_opaque { limited } else { quote!(__hub::boxed(#limited)) };
    quote!(#timeout #limited)
}

/// Writes `let _ = || { let _ = &expression; … };`.
fn mention_arguments(unit: &Expansion<'_>) -> TokenStream {
    let mut mentions = TokenStream::new();
    for argument in unit.arguments.iter() {
        match &argument.value {
            // The timeout is evaluated in the body.
            ArgValue::Expression(_) if argument.arg == Arg::Timeout => {}
            ArgValue::Expression(expression) => {
                let value = borrow_at_span(expression);
                mentions.extend(quote!(let _ = #value;));
            }
            ArgValue::Fields(fields) => {
                for field in fields {
                    let value = borrow_at_span(&field.value);
                    mentions.extend(match argument.arg {
                        Arg::Labels => quote!(let _ = __hub::Label::label(#value);),
                        _ => quote!(let _ = #value;),
                    });
                }
            }
            ArgValue::Flag | ArgValue::Path(_) | ArgValue::Choice(_) | ArgValue::Returned(..) => {}
        }
    }
    if mentions.is_empty() { mentions } else { quote!(let _ = || { #mentions };) }
}
