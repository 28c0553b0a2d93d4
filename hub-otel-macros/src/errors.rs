//! Collects all errors of one expansion, so that one compilation reports every one of them, and
//! suggests names.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use std::cell::RefCell;
use std::fmt::Display;

/// Errors found so far.
#[derive(Default)]
pub(crate) struct Errors {
    found: RefCell<Vec<syn::Error>>,
}

impl Errors {
    /// Adds an error at the tokens to change.
    pub(crate) fn add(&self, token: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(token, message));
    }

    /// Adds an error at a span.
    pub(crate) fn add_at(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Adds an error unless it is a duplicate: the arguments of a block are checked once for each
    /// of its methods.
    pub(crate) fn push(&self, error: syn::Error) {
        let same = |other: &syn::Error| {
            other.to_string() == error.to_string() && is_same_span(other.span(), error.span())
        };
        let mut found = self.found.borrow_mut();
        if !found.iter().any(same) {
            found.push(error);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Converts each error to a `compile_error!`.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.found.into_inner().iter().map(syn::Error::to_compile_error).collect()
    }

    /// Messages of the errors.
    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.found.borrow().iter().map(ToString::to_string).collect()
    }
}

/// `Span` has no `PartialEq`; its debug output contains the byte range. (In unit tests all spans
/// are equal.)
fn is_same_span(left: Span, right: Span) -> bool {
    format!("{left:?}") == format!("{right:?}")
}

/// The choice closest to a misspelt name, if one is close enough to suggest.
pub(crate) fn nearest_name<'c>(
    misspelt: &str,
    choices: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let misspelt = misspelt.to_ascii_lowercase();
    choices
        .into_iter()
        .map(|choice| (strsim::osa_distance(&misspelt, choice), choice))
        .filter(|(distance, choice)| *distance <= max_edits(misspelt.len().max(choice.len())))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, choice)| choice)
}

/// Formats choices for a message: `` `a`, `b`, `c` ``.
pub(crate) fn quoted_list<'c>(choices: impl IntoIterator<Item = &'c str>) -> String {
    let quoted: Vec<_> = choices.into_iter().map(|choice| format!("`{choice}`")).collect();
    quoted.join(", ")
}

/// Number of edits up to which a name of this length is suggested: about one in three letters,
/// because with more than that every short name is close to every other.
fn max_edits(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::nearest_name;

    #[test]
    fn the_nearest_name_is_suggested_and_a_distant_one_is_not() {
        let choices = ["id", "name", "run_id", "timeout", "fields", "trigger"];
        assert_eq!(nearest_name("nmae", choices), Some("name"), "two swapped letters are one edit");
        assert_eq!(nearest_name("triger", choices), Some("trigger"));
        assert_eq!(nearest_name("runid", choices), Some("run_id"));
        assert_eq!(nearest_name("Fields", choices), Some("fields"));
        assert_eq!(nearest_name("banana", choices), None);
        assert_eq!(nearest_name("xy", choices), None);
    }
}
