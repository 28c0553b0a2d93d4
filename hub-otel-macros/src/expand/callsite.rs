//! Identity of a unit: constant parts go into a `static`, run-time parts into a closure.

use super::Expansion;
use crate::args::{Field, ValueFormat};
use crate::table::Arg;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitStr};

/// Identity arguments with a string value.
const IDENTITY: [Arg; 10] = [
    Arg::Id,
    Arg::Name,
    Arg::Action,
    Arg::Provider,
    Arg::Model,
    Arg::Operation,
    Arg::DataSource,
    Arg::CallId,
    Arg::Trigger,
    Arg::RunId,
];

/// Identity arguments that a method of the call site sets. The constructor takes the others.
const LITERALS: [Arg; 9] = [
    Arg::Name,
    Arg::Provider,
    Arg::Model,
    Arg::Operation,
    Arg::DataSource,
    Arg::CallId,
    Arg::Trigger,
    Arg::RunId,
    Arg::SpanName,
];

/// Arguments whose value differs from call to call and changes the unit. (`fields` change only its
/// span.)
const DYNAMIC: [Arg; 7] = [
    Arg::Labels,
    Arg::Parent,
    Arg::Links,
    Arg::Resume,
    Arg::Conversation,
    Arg::Budget,
    Arg::Enabled,
];

impl Expansion<'_> {
    /// Returns whether some arguments are evaluated at run time, so that the `static` is not the
    /// whole description.
    pub(super) fn is_deferred(&self) -> bool {
        self.arguments.has(Arg::Fields) || self.has_dynamic_identity()
    }

    /// Returns whether the identity, the labels or the parent are evaluated at run time.
    fn has_dynamic_identity(&self) -> bool {
        DYNAMIC.iter().any(|arg| self.arguments.has(*arg))
            || IDENTITY.iter().chain([&Arg::SpanName]).any(|arg| {
                self.arguments
                    .expression(*arg)
                    .is_some_and(|expression| string_literal(expression).is_none())
            })
    }

    /// Writes `static __CALLSITE: Callsite = …;`. Items are not hygienic, so its name must not
    /// occur in a user's body.
    pub(super) fn callsite(&self, deferred: bool) -> TokenStream {
        let constructor = Ident::new(self.kind.constructor, Span::call_site());
        let name = LitStr::new(
            &self.function.sig.ident.unraw().to_string(),
            self.function.sig.ident.span(),
        );
        let id = self.kind.identity.map(|arg| self.string_argument(arg).unwrap_or(&name));
        let action = self.kind.accepts(Arg::Action).then(|| {
            let action = self.string_argument(Arg::Action).unwrap_or(&name);
            quote!(, #action)
        });
        let mut calls = TokenStream::new();
        for arg in LITERALS.into_iter().filter(|arg| self.kind.identity != Some(*arg)) {
            if let Some(value) = self.string_argument(arg) {
                let method = Ident::new(arg.name(), Span::call_site());
                calls.extend(quote!(.#method(#value)));
            }
        }
        if let Some(kind) = self.arguments.choice(Arg::Kind) {
            let kind = Ident::new(
                &capitalize(&kind.to_string()),
                kind.span().resolved_at(Span::call_site()),
            );
            calls.extend(quote!(.span_kind(__hub::SpanKind::#kind)));
        }
        for arg in [Arg::GenAi, Arg::Root] {
            if self.arguments.has(arg) {
                let method = Ident::new(arg.name(), Span::call_site());
                calls.extend(quote!(.#method()));
            }
        }
        if deferred {
            calls.extend(quote!(.deferred()));
        }
        let import = self.import_runtime();
        quote! {
            #import
            static __CALLSITE: __hub::Callsite =
                __hub::Callsite::#constructor(#id #action) #calls;
        }
    }

    /// Imports the runtime under a short name, with its autoref-specialized methods.
    pub(super) fn import_runtime(&self) -> TokenStream {
        let runtime = &self.runtime;
        quote!(use #runtime::{self as __hub, via::*};)
    }

    /// Method calls for the run-time parts of the identity: `.id(…).labels(…)`.
    pub(super) fn dynamic_identity(&self) -> TokenStream {
        let mut calls = TokenStream::new();
        for arg in IDENTITY {
            if let Some(expression) =
                self.arguments.expression(arg).filter(|found| string_literal(found).is_none())
            {
                let (method, value) =
                    (Ident::new(arg.name(), Span::call_site()), self.identity_value(expression));
                calls.extend(quote!(.#method(#value)));
            }
        }
        if let Some(expression) = self.arguments.expression(Arg::Conversation) {
            let value = self.identity_value(expression);
            calls.extend(quote!(.conversation(#value)));
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
            self.arguments.expression(Arg::SpanName).filter(|found| string_literal(found).is_none())
        {
            // The type is written out: a `String` would allow a span name of unbounded cardinality.
            let span = Span::mixed_site().located_at(name.span());
            calls.extend(quote_spanned! {span=>
                .span_name({ let __name: &'static ::core::primitive::str = #name; __name })
            });
        }
        if let Some(segment) = self.arguments.expression(Arg::Resume) {
            // By reference, because the body may use the segment as well.
            let segment = borrow_at_span(segment);
            calls.extend(quote!(.resume(#segment)));
        }
        let limits = self.arguments.fields(Arg::Budget);
        if !limits.is_empty() {
            let limits = limits.iter().map(|Field { key, value, .. }| {
                let method = Ident::new(&key.value(), Span::call_site());
                match value {
                    // `usd = 2` is a number of dollars.
                    Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if key.value() == "usd" => {
                        quote!(.#method(#number as ::core::primitive::f64))
                    }
                    value => quote!(.#method(#value)),
                }
            });
            calls.extend(quote!(.budget(__hub::Budget::new()#(#limits)*)));
        }
        for arg in [Arg::Parent, Arg::Links] {
            if let Some(expression) = self.arguments.expression(arg) {
                // With the span of the value, so that rustc reports a wrong type there.
                let span = Span::call_site().located_at(expression.span());
                let method = Ident::new(arg.name(), span);
                calls.extend(quote!(.#method(#expression)));
            }
        }
        calls
    }

    /// Converts an identity argument to a string by autoref specialization: `&str`, `Display`, or
    /// an `Option` of them.
    fn identity_value(&self, expression: &Expr) -> TokenStream {
        let span = Span::mixed_site().located_at(expression.span());
        let value = borrow_at_span(expression);
        quote_spanned!(span=> (&&&&__hub::IdentityExpr(#value)).hub_otel_identity())
    }

    /// Closure that sets the attributes of `fields(…)`: `|fields| { fields.value("key", &value);
    /// }`.
    pub(super) fn fields_closure(&self) -> TokenStream {
        fields_closure(self.arguments.fields(Arg::Fields))
    }

    fn string_argument(&self, arg: Arg) -> Option<&LitStr> {
        self.arguments.expression(arg).and_then(string_literal)
    }
}

/// Closure that sets `list`: `|fields| { … }`.
fn fields_closure(list: &[Field]) -> TokenStream {
    if list.is_empty() {
        return quote!(|_| {});
    }
    let fields = Ident::new("__fields", Span::mixed_site());
    let calls = set_calls(&fields, list);
    quote!(|#fields| { #calls })
}

/// Statements that set `list`: `fields.value("key", &value); …`.
pub(super) fn set_calls(fields: &Ident, list: &[Field]) -> TokenStream {
    let calls = list.iter().map(|Field { key, format, value }| {
        let method = match format {
            ValueFormat::Typed => "value",
            ValueFormat::Display => "display",
            ValueFormat::Debug => "debug",
        };
        let method = Ident::new(method, Span::call_site());
        let value = borrow_at_span(value);
        quote!(#fields.#method(#key, #value);)
    });
    calls.collect()
}

/// `&expression` with the span of the expression, so that rustc reports type errors there.
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

/// The string literal that the expression consists of, if any.
fn string_literal(expression: &Expr) -> Option<&LitStr> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Str(string), .. }) => Some(string),
        Expr::Group(group) => string_literal(&group.expr),
        _ => None,
    }
}

/// `client` → `Client`
fn capitalize(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
