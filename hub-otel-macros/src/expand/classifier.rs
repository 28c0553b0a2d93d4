//! Closure that classifies the returned value, by its type and by the arguments.

use super::Expansion;
use super::callsite::set_calls;
use crate::item::Output;
use crate::table::Arg;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

/// Writes `|value, closing| { … }`.
pub(super) fn classify_closure(unit: &Expansion<'_>, output: Output<'_>) -> TokenStream {
    let (value, closing) = (hygienic_ident("__value"), hygienic_ident("__closing"));
    let mut statements = TokenStream::new();
    if matches!(output, Output::Type(_) | Output::Unnamed) {
        statements.extend(classify_result(unit, &value, &closing));
    }
    if let Some(choice) = unit.arguments.choice(Arg::None) {
        let span = Span::mixed_site().located_at(choice.span());
        statements.extend(quote_spanned!(span=> if __hub::is_none(#value) { #closing.none(); }));
    }
    if let Some(path) = unit.arguments.expression(Arg::Status) {
        let span = Span::mixed_site().located_at(path.span());
        let spanned = Ident::new("__value", span);
        statements.extend(quote_spanned!(span=> #closing.status((#path)(#spanned));));
    }
    if let Some((pattern, fields)) = unit.arguments.ret() {
        let (out, fields_name) = (hygienic_ident("__out"), hygienic_ident("__fields"));
        let calls = set_calls(&fields_name, fields);
        statements.extend(quote! {
            if let __hub::Some(#out) = (&&__hub::ReturnedValue(#value)).hub_otel_ok() {
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

/// Classifies by type: an `Err` is a failure, unless `err(expected = …)` accepts it.
fn classify_result(unit: &Expansion<'_>, value: &Ident, closing: &Ident) -> TokenStream {
    let error = hygienic_ident("__error");
    let shape = unit.function.shape(unit.arguments.has(Arg::Future));
    let is_borrowed = unit.function.has_borrowed_error(shape);
    let wrapper = if is_borrowed { "BorrowedError" } else { "ErrorValue" };
    let wrapper = Ident::new(wrapper, Span::call_site());
    let expected = unit.arguments.expression(Arg::Err).map(|expected| {
        let span = Span::mixed_site().located_at(expected.span());
        // Has the span of the user's path: rustc reports a wrong error type there.
        let spanned = Ident::new("__error", span);
        let is_expected = quote_spanned!(span=> (#expected)(#spanned));
        quote!(if #is_expected { #closing.expected(); })
    });
    quote! {
        if let __hub::Some(#error) = (&&__hub::ReturnedValue(#value)).hub_otel_error() {
            #closing.fail(
                (&&&__hub::#wrapper(#error)).hub_otel_kind(),
                (&&&&&__hub::#wrapper(#error)).hub_otel_message(),
            );
            #expected
        }
    }
}

fn hygienic_ident(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}
