//! Closures that classify the returned value, or the items of a returned stream, by their type and
//! by the arguments.

use super::Expansion;
use super::callsite::set_calls;
use crate::item::{Output, Shape, Streamed, may_hide_work};
use crate::table::Arg;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ReturnType;
use syn::spanned::Spanned;

/// Writes `|value, closing| { … }`.
pub(super) fn classify_closure(unit: &Expansion<'_>, output: Output<'_>) -> TokenStream {
    let (value, closing) = (hygienic_ident("__value"), hygienic_ident("__closing"));
    let mut statements = TokenStream::new();
    if matches!(output, Output::Type(_) | Output::Unnamed) {
        let shape = unit.function.shape(unit.arguments.declared());
        let is_borrowed = unit.function.has_borrowed_error(shape);
        statements.extend(classify_result(unit, &value, &closing, is_borrowed, true));
        let may_hide_work = unit.function.outcome(shape).is_none_or(may_hide_work);
        if may_hide_work && !unit.arguments.has(Arg::Status) {
            let name = if shape == Shape::Sync { "ends_call" } else { "ends_future" };
            statements.extend(reject_lazy_value(unit, &value, name));
        }
    }
    add_arguments(unit, statements, &value, &closing)
}

/// Writes the same for the items of a stream.
pub(super) fn classify_item(unit: &Expansion<'_>, streamed: &Streamed<'_>) -> TokenStream {
    let (value, closing) = (hygienic_ident("__value"), hygienic_ident("__closing"));
    let is_borrowed = streamed.has_borrowed_error();
    let statements = classify_result(unit, &value, &closing, is_borrowed, true);
    add_arguments(unit, statements, &value, &closing)
}

/// Writes the same for the `Result` around a stream. The arguments refer to the items.
pub(super) fn classify_opening(unit: &Expansion<'_>, streamed: &Streamed<'_>) -> TokenStream {
    if !streamed.in_result {
        return quote!(|_, _| {});
    }
    let (value, closing) = (hygienic_ident("__value"), hygienic_ident("__closing"));
    let shape = unit.function.shape(unit.arguments.declared());
    let is_borrowed = unit.function.has_borrowed_error(shape);
    let statements = classify_result(unit, &value, &closing, is_borrowed, false);
    quote!(|#value, #closing| { #statements })
}

/// Rejects a future or a stream that the signature does not show.
fn reject_lazy_value(unit: &Expansion<'_>, value: &Ident, check: &str) -> TokenStream {
    let output = match &unit.function.sig.output {
        ReturnType::Type(_, output) => output.span(),
        ReturnType::Default => Span::call_site(),
    };
    let span = Span::mixed_site().located_at(output);
    let work = quote_spanned!(span=> (&&&&__hub::ReturnedValue(#value)).hub_otel_work());
    let check = Ident::new(check, span);
    quote_spanned!(span=> __hub::#check(#work);)
}

/// Adds `none`, `status` and `ret`, and writes the closure.
fn add_arguments(
    unit: &Expansion<'_>,
    mut statements: TokenStream,
    value: &Ident,
    closing: &Ident,
) -> TokenStream {
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
fn classify_result(
    unit: &Expansion<'_>,
    value: &Ident,
    closing: &Ident,
    is_borrowed: bool,
    accepts_expected: bool,
) -> TokenStream {
    let error = hygienic_ident("__error");
    let wrapper = if is_borrowed { "BorrowedError" } else { "ErrorValue" };
    let wrapper = Ident::new(wrapper, Span::call_site());
    let expected = unit.arguments.expression(Arg::Err).filter(|_| accepts_expected);
    let expected = expected.map(|expected| {
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
