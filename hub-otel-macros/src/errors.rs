//! Collects every mistake before the first one is reported, so that one compile shows them all.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use std::cell::RefCell;
use std::fmt::Display;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors {
    found: RefCell<Vec<syn::Error>>,
}

impl Errors {
    /// A mistake at the token to change.
    pub(crate) fn at(&self, token: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(token, message));
    }

    /// A mistake where there is only a place.
    pub(crate) fn at_span(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// A mistake that was found already is not said again: a block's arguments are checked for each method.
    pub(crate) fn push(&self, error: syn::Error) {
        let same = |other: &syn::Error| {
            other.to_string() == error.to_string() && is_same(other.span(), error.span())
        };
        let mut found = self.found.borrow_mut();
        if !found.iter().any(same) {
            found.push(error);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// One `compile_error!` for each mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.found.into_inner().iter().map(syn::Error::to_compile_error).collect()
    }

    /// The sentences, for tests.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.found.borrow().iter().map(ToString::to_string).collect()
    }
}

/// Spans have no equality; their text names the bytes (in unit tests all are one).
fn is_same(left: Span, right: Span) -> bool {
    format!("{left:?}") == format!("{right:?}")
}
