//! The classifier: what the returned value says of the unit, decided by its type and by the arguments.

use super::Expansion;
use super::callsite::set_calls;
use crate::item::Output;
use crate::table::Arg;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

/// `|value, closing| { … }`
pub(super) fn classify_closure(unit: &Expansion<'_>, output: Output<'_>) -> TokenStream {
    let (value, closing) = (local("__value"), local("__closing"));
    let mut statements = TokenStream::new();
    if matches!(output, Output::Type(_) | Output::Unnamed) {
        statements.extend(error(unit, &value, &closing));
    }
    if let Some(word) = unit.arguments.choice(Arg::None) {
        let span = Span::mixed_site().located_at(word.span());
        statements.extend(quote_spanned!(span=> if __hub::is_none(#value) { #closing.none(); }));
    }
    if let Some(path) = unit.arguments.expression(Arg::Status) {
        let span = Span::mixed_site().located_at(path.span());
        let there = Ident::new("__value", span);
        statements.extend(quote_spanned!(span=> #closing.status((#path)(#there));));
    }
    if let Some((pattern, fields)) = unit.arguments.returned() {
        let (out, fields_name) = (local("__out"), local("__fields"));
        let calls = set_calls(&fields_name, fields);
        statements.extend(quote! {
            if let __hub::Some(#out) = (&&__hub::ValueOf(#value)).hub_otel_ok() {
                #closing.ret(|#fields_name| { let #pattern = #out; #calls });
            }
        });
    }
    if statements.is_empty() {
        quote!(|_, _| {})
    } else {
        quote!(|#value, #closing| { #statements })
    }
}

/// What the type says: a `Result` with an error is a failure, unless the user expects this one.
fn error(unit: &Expansion<'_>, value: &Ident, closing: &Ident) -> TokenStream {
    let close = quote!((&&&&&&&__hub::ValueOf(#value)).hub_otel_close(#closing););
    let Some(expected) = unit.arguments.expression(Arg::Err) else { return close };
    let error = local("__error");
    let span = Span::mixed_site().located_at(expected.span());
    // Named at the user's path: an error of another type is a mistake there.
    let there = Ident::new("__error", span);
    let is_expected = quote_spanned!(span=> (#expected)(#there));
    quote! {
        match (&&__hub::ValueOf(#value)).hub_otel_error() {
            __hub::Some(#error) if #is_expected => #closing.expected(),
            _ => { #close }
        }
    }
}

fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
