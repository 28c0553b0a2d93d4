//! The two halves of a unit's identity: what is known now, in a `static`, and what only a call knows, in a closure.

use super::Unit;
use crate::args::{Field, Mode, Word};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr};

/// The identity arguments, which are texts.
const TEXTS: [Word; 5] = [Word::Id, Word::Name, Word::Action, Word::Trigger, Word::RunId];

/// What makes a unit differ from that of another call. `fields` only make its span differ.
const DYNAMIC: [Word; 5] = [Word::Labels, Word::Parent, Word::Links, Word::Resume, Word::Enabled];

impl Unit<'_> {
    /// Whether the runtime must ask the call, because the `static` does not say everything.
    pub(super) fn is_deferred(&self) -> bool {
        self.arguments.has(Word::Fields) || self.is_of_the_call()
    }

    /// Whether only the call says what the unit is.
    fn is_of_the_call(&self) -> bool {
        DYNAMIC.iter().any(|word| self.arguments.has(*word))
            || TEXTS.iter().chain([&Word::SpanName]).any(|word| {
                self.arguments
                    .expression(*word)
                    .is_some_and(|expression| literal(expression).is_none())
            })
    }

    /// `static __SITE: Site = …;` Its name is one that nobody's body mentions: items are not hygienic.
    pub(super) fn site(&self, deferred: bool) -> TokenStream {
        let constructor = Ident::new(self.preset.constructor, Span::call_site());
        let name = LitStr::new(
            &self.function.sig.ident.unraw().to_string(),
            self.function.sig.ident.span(),
        );
        let id = self.literal(Word::Id).unwrap_or(&name);
        let action = self.preset.takes(Word::Action).then(|| {
            let action = self.literal(Word::Action).unwrap_or(&name);
            quote!(, #action)
        });
        let mut calls = TokenStream::new();
        for word in [Word::Name, Word::Trigger, Word::RunId, Word::SpanName] {
            if let Some(text) = self.literal(word) {
                let method = Ident::new(word.name(), Span::call_site());
                calls.extend(quote!(.#method(#text)));
            }
        }
        if let Some(kind) = self.arguments.choice(Word::Kind) {
            let kind = Ident::new(
                &capitalized(&kind.to_string()),
                kind.span().resolved_at(Span::call_site()),
            );
            calls.extend(quote!(.span_kind(__hub::SpanKind::#kind)));
        }
        for word in [Word::GenAi, Word::Root] {
            if self.arguments.has(word) {
                let method = Ident::new(word.name(), Span::call_site());
                calls.extend(quote!(.#method()));
            }
        }
        if deferred {
            calls.extend(if self.is_of_the_call() {
                quote!(.deferred())
            } else {
                quote!(.deferred_fields())
            });
        }
        let import = self.import();
        quote!(#import static __SITE: __hub::Site = __hub::Site::#constructor(#id #action) #calls;)
    }

    /// The runtime under a short name, with the methods that find out what a type can do.
    pub(super) fn import(&self) -> TokenStream {
        let runtime = &self.runtime;
        quote!(use #runtime::{self as __hub, via::*};)
    }

    /// The calls that say what the `static` does not: `.id(…).labels(…)`.
    pub(super) fn describe(&self) -> TokenStream {
        let mut calls = TokenStream::new();
        for word in TEXTS {
            if let Some(expression) =
                self.arguments.expression(word).filter(|found| literal(found).is_none())
            {
                let (method, text) =
                    (Ident::new(word.name(), Span::call_site()), self.text(expression));
                calls.extend(quote!(.#method(#text)));
            }
        }
        let labels = self.arguments.fields(Word::Labels);
        if !labels.is_empty() {
            let labels = labels.iter().map(|Field { key, value, .. }| {
                let value = borrowed(value);
                quote!((#key, __hub::Label::label(#value)))
            });
            calls.extend(quote!(.labels(&[#(#labels),*])));
        }
        if let Some(name) =
            self.arguments.expression(Word::SpanName).filter(|found| literal(found).is_none())
        {
            // Named: a `String` would make a span's name of every user.
            let span = Span::mixed_site().located_at(name.span());
            calls.extend(quote_spanned!(span=> .span_name({ let __name: &'static ::core::primitive::str = #name; __name })));
        }
        if let Some(segment) = self.arguments.expression(Word::Resume) {
            // By reference: the body has a use for it as well.
            let segment = borrowed(segment);
            calls.extend(quote!(.resume(#segment)));
        }
        for word in [Word::Parent, Word::Links] {
            if let Some(expression) = self.arguments.expression(word) {
                let method = Ident::new(word.name(), Span::call_site());
                calls.extend(quote!(.#method(#expression)));
            }
        }
        calls
    }

    /// An identity argument: literals as they are, anything else by the first way that its type has to be a text.
    fn text(&self, expression: &Expr) -> TokenStream {
        let span = Span::mixed_site().located_at(expression.span());
        let value = borrowed(expression);
        quote_spanned!(span=> (&&&&__hub::TextOf(#value)).hub_otel_text())
    }

    /// The closure that sets attributes: `|fields| { fields.value("key", &value); }`.
    pub(super) fn fields(&self) -> TokenStream {
        setter(self.arguments.fields(Word::Fields))
    }

    fn literal(&self, word: Word) -> Option<&LitStr> {
        self.arguments.expression(word).and_then(literal)
    }
}

/// `|fields| { … }`
fn setter(list: &[Field]) -> TokenStream {
    if list.is_empty() {
        return quote!(|_| {});
    }
    let fields = Ident::new("__fields", Span::mixed_site());
    let calls = set(&fields, list);
    quote!(|#fields| { #calls })
}

/// `fields.value("key", &value); …`
pub(super) fn set(fields: &Ident, list: &[Field]) -> TokenStream {
    let calls = list.iter().map(|Field { key, mode, value }| {
        let method = match mode {
            Mode::Typed => "value",
            Mode::Display => "display",
            Mode::Debug => "debug",
        };
        let method = Ident::new(method, Span::call_site());
        let value = borrowed(value);
        quote!(#fields.#method(#key, #value);)
    });
    calls.collect()
}

/// `&expression`, at the expression's place, so that what is wrong with its type is said there.
pub(super) fn borrowed(expression: &Expr) -> TokenStream {
    let span = Span::mixed_site().located_at(expression.span());
    match expression {
        Expr::Path(_)
        | Expr::Field(_)
        | Expr::Lit(_)
        | Expr::Call(_)
        | Expr::MethodCall(_)
        | Expr::Macro(_) => {
            quote_spanned!(span=> &#expression)
        }
        _ => quote_spanned!(span=> &(#expression)),
    }
}

/// The text of a string literal.
fn literal(expression: &Expr) -> Option<&LitStr> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}

/// `client` → `Client`
fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
