//! Wraps functions that return a stream, at the call or after an await.

use super::Expansion;
use super::classifier::{classify_item, classify_opening};
use super::function::call_of_body;
use super::parameters::{Parameters, capture_parameters};
use crate::item::{Shape, Streamed, without_impl_trait};
use crate::table::Arg;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Signature;

/// Wraps the returned stream. The function's code still runs at the call, and the arguments are
/// evaluated there.
pub(super) fn stream_returning_fn(unit: &Expansion<'_>) -> TokenStream {
    let Some(streamed) = unit.function.streamed(unit.arguments.declared()) else {
        unreachable!("the shape is that of a stream")
    };
    let (callsite, body, prepared) = (unit.callsite(false), unit.body_block(), unit.prepare_call());
    let Parameters { inputs, captures, .. } = capture_parameters(unit, false);
    let mut stream = call_of_body(unit, Shape::Stream, &quote!(#captures #body));
    let mut before = TokenStream::new();
    if let Some(expression) = unit.arguments.expression(Arg::Timeout) {
        before.extend(unit.timeout_statement(expression));
        stream = unit.wrap_in_timeout(stream);
    }
    if !streamed.in_result {
        stream = unit.admit_stream(stream, false);
    }
    let name = Ident::new("__prepared", Span::mixed_site());
    let run = if streamed.in_result {
        let closures = streaming_closures(unit, &streamed);
        quote!(__hub::try_stream(#name, #stream, #closures))
    } else {
        let classify = classify_item(unit, &streamed);
        boxed(unit, &streamed, quote!(__hub::run_stream(#name, #stream, #classify)))
    };
    let sig = Signature { inputs, ..unit.function.sig.clone() };
    let body = quote!(#callsite #before let #name = #prepared; #run);
    unit.emit_function(&sig, None, &body)
}

/// Writes the closures that classify the value with the stream, and wrap the stream in it.
pub(super) fn streaming_closures(unit: &Expansion<'_>, streamed: &Streamed<'_>) -> TokenStream {
    let ident = |name| Ident::new(name, Span::mixed_site());
    let (value, stream, running) = (ident("__value"), ident("__stream"), ident("__unit"));
    let (opening, classify) = (classify_opening(unit, streamed), classify_item(unit, streamed));
    let item = item_type(streamed);
    let admitted = unit.admit_stream(quote!(#stream), unit.refusable_item().is_some());
    let wrapped = quote!(#running.stream::<#item, _, _>(#admitted, #classify));
    // An `async fn` is boxed itself.
    let is_sync = unit.function.shape(unit.arguments.declared()) == Shape::Stream;
    let wrapped =
        if streamed.is_boxed || is_sync { boxed(unit, streamed, wrapped) } else { wrapped };
    // The type of a boxed stream is that of a trait object.
    let ty = without_impl_trait(streamed.stream);
    let wrap = if streamed.in_result {
        quote!(|#value, #running| #value.map(|#stream| -> #ty { #wrapped }))
    } else {
        quote!(|#stream, #running| -> #ty { #wrapped })
    };
    quote!(#opening, #wrap)
}

/// Type of the items, as far as the body can write it.
pub(super) fn item_type(streamed: &Streamed<'_>) -> TokenStream {
    let item = streamed.opaque_item().map(without_impl_trait);
    item.map_or_else(|| quote!(_), |item| item.to_token_stream())
}

fn boxed(unit: &Expansion<'_>, streamed: &Streamed<'_>, stream: TokenStream) -> TokenStream {
    if streamed.is_boxed || unit.arguments.has(Arg::Boxed) {
        quote!(__hub::boxed(#stream))
    } else {
        stream
    }
}
