//! Moves the parameters into the body's future or closure *in place*: `let _ = &parameter;`.
//!
//! A plain `async fn` moves each argument a second time, from the future into a local variable. A
//! reference captures it without that copy, which makes the annotated future smaller. Every
//! parameter is referenced, also one that the body does not use: otherwise it would be dropped at
//! the call. The references go from the last parameter to the first, because captures are dropped
//! first to last and parameters last to first.

use super::{Expansion, lints};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, Pat, PatIdent, Token};

/// Parameters of the new function, and the statements at the top of its body.
pub(super) struct Parameters {
    pub(super) inputs: Punctuated<FnArg, Token![,]>,
    pub(super) captures: TokenStream,
    /// Moves the parameters on, from the body into a future inside it.
    pub(super) moves: TokenStream,
}

/// Captures the parameters. `movable`: they may be renamed, because no other macro reads the
/// signature.
pub(super) fn capture_parameters(unit: &Expansion<'_>, movable: bool) -> Parameters {
    let sig = &unit.function.sig;
    let mut inputs = sig.inputs.clone();
    // The reference that captures a parameter is a use of it. Where rustc is expected to find no
    // use, the parameter becomes a local variable.
    let all_unused = lints::expects_unused(&unit.function.attrs);
    let is_unused = |input: &FnArg| match input {
        FnArg::Receiver(_) => false,
        FnArg::Typed(typed) => all_unused || lints::expects_unused(&typed.attrs),
    };
    // Parameters after a local variable are dropped before it, so they have to become local
    // variables as well.
    let first_pattern = if movable {
        let is_local = |input: &FnArg| is_destructured(input) || is_unused(input);
        sig.inputs.iter().position(is_local).unwrap_or(usize::MAX)
    } else {
        usize::MAX
    };
    let mut in_place = Vec::new();
    let mut moves = Vec::new();
    let mut locals = TokenStream::new();
    for (index, input) in inputs.iter_mut().enumerate() {
        let is_unused = is_unused(input);
        match input {
            FnArg::Receiver(receiver) => {
                let (cfg, name) = (cfg_attributes(&receiver.attrs), receiver.self_token);
                in_place.push(quote!(#cfg let _ = &#name;));
                moves.push(quote!(#cfg let _ = &#name;));
            }
            FnArg::Typed(typed) => {
                let cfg = cfg_attributes(&typed.attrs);
                if index >= first_pattern {
                    let lints = lints::take(&mut typed.attrs);
                    let pattern = (*typed.pat).clone();
                    let hidden = hidden_ident(index);
                    *typed.pat = ident_pattern(&hidden);
                    // A wildcard is dropped in the same order as a name.
                    let pattern = if matches!(pattern, Pat::Wild(_)) {
                        ident_pattern(&hidden)
                    } else {
                        pattern
                    };
                    // clippy::pedantic reports a binding of `_name` as one without effect.
                    let allow = starts_with_underscore(&pattern)
                        .then(|| quote!(#[allow(clippy::no_effect_underscore_binding)]));
                    locals.extend(quote!(#cfg #lints #allow let #pattern = #hidden;));
                    let mut names = Vec::new();
                    collect_bindings(&pattern, &mut names);
                    // A move is a use as well.
                    names.retain(|_| !is_unused);
                    moves.extend(names.iter().map(|name| borrow_statement(&cfg, name)));
                } else if matches!(*typed.pat, Pat::Wild(_)) && movable {
                    let hidden = hidden_ident(index);
                    *typed.pat = ident_pattern(&hidden);
                    in_place.push(quote!(#cfg let _ = &#hidden;));
                    moves.push(quote!(#cfg let _ = &#hidden;));
                } else if is_unused && let Pat::Ident(pattern) = &mut *typed.pat {
                    let lints = lints::take(&mut typed.attrs);
                    let (local, name) = (pattern.clone(), pattern.ident.clone());
                    pattern.mutability = None;
                    locals.extend(quote!(#cfg #lints let #local = #name;));
                } else {
                    let mut names = Vec::new();
                    collect_bindings(&typed.pat, &mut names);
                    let is_idle = names.iter().any(|name| !unit.is_used(name));
                    let lints =
                        if is_idle { lints::take(&mut typed.attrs) } else { TokenStream::new() };
                    in_place.extend(
                        names.iter().map(|name| reference_parameter(unit, &cfg, &lints, name)),
                    );
                    moves.extend(names.iter().map(|name| borrow_statement(&cfg, name)));
                }
            }
        }
    }
    let captures = in_place.into_iter().rev().chain([locals]).collect();
    let moves = moves.into_iter().rev().collect();
    Parameters { inputs, captures, moves }
}

/// Writes `let _ = &name;`.
fn borrow_statement(cfg: &TokenStream, name: &Ident) -> TokenStream {
    // clippy::pedantic reports the use of `_name` as if it were in the user's code.
    let allow = name
        .to_string()
        .starts_with('_')
        .then(|| quote!(#[allow(clippy::used_underscore_binding)]));
    quote!(#cfg #allow let _ = &#name;)
}

/// Captures a parameter. rustc still reports it if it is unused.
fn reference_parameter(
    unit: &Expansion<'_>,
    cfg: &TokenStream,
    lints: &TokenStream,
    name: &Ident,
) -> TokenStream {
    let capture = borrow_statement(cfg, name);
    if unit.is_used(name) {
        return capture;
    }
    // The reference would hide an unused parameter from rustc. An unused variable of the same name
    // and span makes rustc report it.
    quote!(#capture #cfg { #lints let #name = false; })
}

fn starts_with_underscore(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Ident(found) if found.ident.to_string().starts_with('_'))
}

fn is_destructured(input: &FnArg) -> bool {
    match input {
        FnArg::Receiver(_) => false,
        FnArg::Typed(typed) => match &*typed.pat {
            Pat::Ident(PatIdent { by_ref, subpat, .. }) => by_ref.is_some() || subpat.is_some(),
            Pat::Wild(_) => false,
            _ => true,
        },
    }
}

/// Name that user code cannot refer to.
fn hidden_ident(index: usize) -> Ident {
    format_ident!("__arg{}", index, span = Span::mixed_site())
}

fn ident_pattern(name: &Ident) -> Pat {
    Pat::Ident(PatIdent {
        attrs: Vec::new(),
        by_ref: None,
        mutability: None,
        ident: name.clone(),
        subpat: None,
    })
}

/// The `#[cfg]` attributes of a parameter, which also apply to its capture.
fn cfg_attributes(attrs: &[Attribute]) -> TokenStream {
    let conditions = attrs.iter().filter(|attribute| {
        let path = attribute.path();
        path.is_ident("cfg") || path.is_ident("cfg_attr")
    });
    conditions.map(ToTokens::to_token_stream).collect()
}

impl Expansion<'_> {
    /// Returns whether rustc would not report the parameter as unused: the body or an argument
    /// contains its name, also inside a format string, or the name starts with an underscore.
    fn is_used(&self, name: &Ident) -> bool {
        let name = name.to_string();
        if name.starts_with('_') {
            return true;
        }
        let body = self.function.body.as_ref();
        body.is_some_and(|body| contains_name(body.stream(), &name))
            || contains_name(self.arguments.expression_tokens(), &name)
    }
}

fn contains_name(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(word) => word == name,
        TokenTree::Group(group) => contains_name(group.stream(), name),
        TokenTree::Literal(literal) => literal.to_string().contains(name),
        TokenTree::Punct(_) => false,
    })
}

/// Collects the names that a pattern binds, in order.
fn collect_bindings(pattern: &Pat, names: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(found) => {
            names.push(found.ident.clone());
            if let Some((_, inner)) = &found.subpat {
                collect_bindings(inner, names);
            }
        }
        Pat::Paren(inner) => collect_bindings(&inner.pat, names),
        Pat::Reference(inner) => collect_bindings(&inner.pat, names),
        Pat::Type(inner) => collect_bindings(&inner.pat, names),
        Pat::Tuple(inner) => {
            inner.elems.iter().for_each(|pattern| collect_bindings(pattern, names))
        }
        Pat::TupleStruct(inner) => {
            inner.elems.iter().for_each(|pattern| collect_bindings(pattern, names))
        }
        Pat::Slice(inner) => {
            inner.elems.iter().for_each(|pattern| collect_bindings(pattern, names))
        }
        Pat::Struct(inner) => {
            inner.fields.iter().for_each(|field| collect_bindings(&field.pat, names))
        }
        // Both sides of an `or` bind the same names.
        Pat::Or(inner) => {
            inner.cases.iter().take(1).for_each(|pattern| collect_bindings(pattern, names))
        }
        _ => {}
    }
}
