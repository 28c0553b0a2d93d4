//! The two halves of a unit's identity: what is known now, in a `static`, and what only a call knows, in a closure.

use super::Expansion;
use crate::args::{Field, Mode};
use crate::table::Arg;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr};

/// The identity arguments, which are texts.
const TEXTS: [Arg; 5] = [Arg::Id, Arg::Name, Arg::Action, Arg::Trigger, Arg::RunId];

/// What makes a unit differ from that of another call. `fields` only make its span differ.
const DYNAMIC: [Arg; 5] = [Arg::Labels, Arg::Parent, Arg::Links, Arg::Resume, Arg::Enabled];

impl Expansion<'_> {
    /// Whether the runtime must ask the call, because the `static` does not say everything.
    pub(super) fn is_deferred(&self) -> bool {
        self.arguments.has(Arg::Fields) || self.has_dynamic_identity()
    }

    /// Whether only the call says what the unit is.
    fn has_dynamic_identity(&self) -> bool {
        DYNAMIC.iter().any(|word| self.arguments.has(*word))
            || TEXTS.iter().chain([&Arg::SpanName]).any(|word| {
                self.arguments
                    .expression(*word)
                    .is_some_and(|expression| literal(expression).is_none())
            })
    }

    /// `static __SITE: Site = …;` Its name is one that nobody's body mentions: items are not hygienic.
    pub(super) fn callsite(&self, deferred: bool) -> TokenStream {
        let constructor = Ident::new(self.kind.constructor, Span::call_site());
        let name = LitStr::new(
            &self.function.sig.ident.unraw().to_string(),
            self.function.sig.ident.span(),
        );
        let id = self.literal(Arg::Id).unwrap_or(&name);
        let action = self.kind.accepts(Arg::Action).then(|| {
            let action = self.literal(Arg::Action).unwrap_or(&name);
            quote!(, #action)
        });
        let mut calls = TokenStream::new();
        for word in [Arg::Name, Arg::Trigger, Arg::RunId, Arg::SpanName] {
            if let Some(text) = self.literal(word) {
                let method = Ident::new(word.name(), Span::call_site());
                calls.extend(quote!(.#method(#text)));
            }
        }
        if let Some(kind) = self.arguments.choice(Arg::Kind) {
            let kind = Ident::new(
                &capitalize(&kind.to_string()),
                kind.span().resolved_at(Span::call_site()),
            );
            calls.extend(quote!(.span_kind(__hub::SpanKind::#kind)));
        }
        for word in [Arg::GenAi, Arg::Root] {
            if self.arguments.has(word) {
                let method = Ident::new(word.name(), Span::call_site());
                calls.extend(quote!(.#method()));
            }
        }
        if deferred {
            calls.extend(if self.has_dynamic_identity() {
                quote!(.deferred())
            } else {
                quote!(.deferred_fields())
            });
        }
        let import = self.import_runtime();
        quote!(#import static __SITE: __hub::Site = __hub::Site::#constructor(#id #action) #calls;)
    }

    /// The runtime under a short name, with the methods that find out what a type can do.
    pub(super) fn import_runtime(&self) -> TokenStream {
        let runtime = &self.runtime;
        quote!(use #runtime::{self as __hub, via::*};)
    }

    /// The calls that say what the `static` does not: `.id(…).labels(…)`.
    pub(super) fn dynamic_identity(&self) -> TokenStream {
        let mut calls = TokenStream::new();
        for word in TEXTS {
            if let Some(expression) =
                self.arguments.expression(word).filter(|found| literal(found).is_none())
            {
                let (method, text) =
                    (Ident::new(word.name(), Span::call_site()), self.identity_value(expression));
                calls.extend(quote!(.#method(#text)));
            }
        }
        let labels = self.arguments.fields(Arg::Labels);
        if !labels.is_empty() {
            let labels = labels.iter().map(|Field { key, value, .. }| {
                let value = borrow_at_span(value);
                quote!((#key, __hub::Label::label(#value)))
            });
            calls.extend(quote!(.labels(&[#(#labels),*])));
        }
        if let Some(name) =
            self.arguments.expression(Arg::SpanName).filter(|found| literal(found).is_none())
        {
            // Named: a `String` would make a span's name of every user.
            let span = Span::mixed_site().located_at(name.span());
            calls.extend(quote_spanned!(span=> .span_name({ let __name: &'static ::core::primitive::str = #name; __name })));
        }
        if let Some(segment) = self.arguments.expression(Arg::Resume) {
            // By reference: the body has a use for it as well.
            let segment = borrow_at_span(segment);
            calls.extend(quote!(.resume(#segment)));
        }
        for word in [Arg::Parent, Arg::Links] {
            if let Some(expression) = self.arguments.expression(word) {
                let method = Ident::new(word.name(), Span::call_site());
                calls.extend(quote!(.#method(#expression)));
            }
        }
        calls
    }

    /// An identity argument: literals as they are, anything else by the first way that its type has to be a text.
    fn identity_value(&self, expression: &Expr) -> TokenStream {
        let span = Span::mixed_site().located_at(expression.span());
        let value = borrow_at_span(expression);
        quote_spanned!(span=> (&&&&__hub::TextOf(#value)).hub_otel_text())
    }

    /// The closure that sets attributes: `|fields| { fields.value("key", &value); }`.
    pub(super) fn fields_closure(&self) -> TokenStream {
        fields_setter(self.arguments.fields(Arg::Fields))
    }

    fn literal(&self, word: Arg) -> Option<&LitStr> {
        self.arguments.expression(word).and_then(literal)
    }
}

/// `|fields| { … }`
fn fields_setter(list: &[Field]) -> TokenStream {
    if list.is_empty() {
        return quote!(|_| {});
    }
    let fields = Ident::new("__fields", Span::mixed_site());
    let calls = set_calls(&fields, list);
    quote!(|#fields| { #calls })
}

/// `fields.value("key", &value); …`
pub(super) fn set_calls(fields: &Ident, list: &[Field]) -> TokenStream {
    let calls = list.iter().map(|Field { key, mode, value }| {
        let method = match mode {
            Mode::Typed => "value",
            Mode::Display => "display",
            Mode::Debug => "debug",
        };
        let method = Ident::new(method, Span::call_site());
        let value = borrow_at_span(value);
        quote!(#fields.#method(#key, #value);)
    });
    calls.collect()
}

/// `&expression`, at the expression's place, so that what is wrong with its type is said there.
pub(super) fn borrow_at_span(expression: &Expr) -> TokenStream {
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
fn capitalize(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
