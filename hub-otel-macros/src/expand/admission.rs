//! Admission of calls by the budget of their run: before a block, or on the first poll of a future
//! or a stream.

use super::Expansion;
use crate::item::{Output, Shape, without_impl_trait};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Type;

impl Expansion<'_> {
    /// Statement before the body of a call: returns the error of a call that the budget refuses, if
    /// the output has one.
    pub(super) fn admit_statement(&self) -> TokenStream {
        match self.function.output() {
            Output::Type(output) => self.admit_output(output),
            Output::Unit | Output::Unnamed | Output::Never => TokenStream::new(),
        }
    }

    /// The same for the `output` of the block.
    pub(super) fn admit_output(&self, output: &Type) -> TokenStream {
        if !self.kind.is_call() {
            return TokenStream::new();
        }
        let (output, refused) =
            (without_impl_trait(output), Ident::new("__refused", Span::mixed_site()));
        quote! {
            if let __hub::Some(#refused) = (&&__hub::Refusal::<#output>::new()).hub_otel_admit() {
                return #refused;
            }
        }
    }

    /// Wraps the future of a call, which is admitted on its first poll.
    pub(super) fn admit_future(&self, future: TokenStream) -> TokenStream {
        if !self.kind.is_call() {
            return future;
        }
        let ident = |name| Ident::new(name, Span::mixed_site());
        let (name, admit) = (ident("__future"), ident("__admit"));
        quote! {{
            let #name = #future;
            let #admit = (&&__hub::refusal_of_output(&#name)).hub_otel_admission();
            __hub::admit_future(#name, #admit)
        }}
    }

    /// Items of the `impl Stream` that the `async fn` of a call returns, if the body can write
    /// their type. The block returns an `Option` of the stream then: `None` if it is refused.
    pub(super) fn refusable_item(&self) -> Option<TokenStream> {
        let declared = self.arguments.declared();
        if !self.kind.is_call() || self.function.shape(declared) != Shape::Async {
            return None;
        }
        let streamed = self.function.streamed(declared).filter(|streamed| !streamed.in_result)?;
        let item = streamed.opaque_item()?.to_token_stream();
        let erased = without_impl_trait(streamed.opaque_item()?).to_token_stream();
        (item.to_string() == erased.to_string()).then_some(item)
    }

    /// Wraps the stream of a call, which is admitted on its first poll. `is_optional`: it is an
    /// `Option`, because the code before it is not run if the call is refused.
    pub(super) fn admit_stream(&self, stream: TokenStream, is_optional: bool) -> TokenStream {
        if !self.kind.is_call() {
            return stream;
        }
        let ident = |name| Ident::new(name, Span::mixed_site());
        let (name, admit) = (ident("__body"), ident("__admit"));
        let stream = if is_optional { stream } else { quote!(__hub::Some(#stream)) };
        quote! {{
            let #name = #stream;
            let #admit = (&&__hub::refusal_of_items(&#name)).hub_otel_admission();
            __hub::admit_stream(#name, #admit)
        }}
    }
}
