//! Moves the parameters into the body's future or closure *in place*: `let _ = &parameter;`.
//!
//! A plain `async fn` moves each argument a second time, from the future into a local. Naming it by reference captures it
//! without that copy, which is why the annotated future is smaller. Every parameter is named, also one that the body never
//! mentions: else it would be dropped at the call. They are named last to first, because captures are dropped first to
//! last and parameters last to first.

use super::Expansion;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, FnArg, Pat, PatIdent, Token};

/// The parameters of the new function, and the statements at the top of its body.
pub(super) struct Parameters {
    pub(super) inputs: Punctuated<FnArg, Token![,]>,
    pub(super) captures: TokenStream,
}

/// `movable`: the parameters may be renamed, because no other macro reads the signature.
pub(super) fn capture(unit: &Expansion<'_>, movable: bool) -> Parameters {
    let sig = &unit.function.sig;
    let mut inputs = sig.inputs.clone();
    // What stands behind a destructured parameter is dropped before it, so it has to become a local as well.
    let first_pattern = if movable {
        sig.inputs.iter().position(is_destructured).unwrap_or(usize::MAX)
    } else {
        usize::MAX
    };
    let mut in_place = Vec::new();
    let mut locals = TokenStream::new();
    for (index, input) in inputs.iter_mut().enumerate() {
        match input {
            FnArg::Receiver(receiver) => {
                let (cfg, name) = (cfgs(&receiver.attrs), receiver.self_token);
                in_place.push(quote!(#cfg let _ = &#name;));
            }
            FnArg::Typed(typed) => {
                let cfg = cfgs(&typed.attrs);
                if index >= first_pattern {
                    let pattern = (*typed.pat).clone();
                    let hidden = hidden(index);
                    *typed.pat = ident(&hidden);
                    // A wildcard keeps its place in the order too.
                    let pattern =
                        if matches!(pattern, Pat::Wild(_)) { ident(&hidden) } else { pattern };
                    // clippy::pedantic takes a binding of `_name` for one that has no use.
                    let allow = starts_with_underscore(&pattern)
                        .then(|| quote!(#[allow(clippy::no_effect_underscore_binding)]));
                    locals.extend(quote!(#cfg #allow let #pattern = #hidden;));
                } else if matches!(*typed.pat, Pat::Wild(_)) && movable {
                    let hidden = hidden(index);
                    *typed.pat = ident(&hidden);
                    in_place.push(quote!(#cfg let _ = &#hidden;));
                } else {
                    let mut names = Vec::new();
                    bindings(&typed.pat, &mut names);
                    in_place.extend(names.iter().map(|name| mention(unit, &cfg, name)));
                }
            }
        }
    }
    let captures = in_place.into_iter().rev().chain([locals]).collect();
    Parameters { inputs, captures }
}

/// `let _ = &name;`
fn mention(unit: &Expansion<'_>, cfg: &TokenStream, name: &Ident) -> TokenStream {
    if name.to_string().starts_with('_') {
        // clippy::pedantic objects to a use of `_name`, and takes this one for the user's.
        return quote!(#cfg #[allow(clippy::used_underscore_binding)] let _ = &#name;);
    }
    let capture = quote!(#cfg let _ = &#name;);
    if unit.mentions(name) {
        return capture;
    }
    // Our mention would hide from the compiler that the parameter is unused: a local of that name, at the user's place,
    // is what it reports instead.
    quote!(#capture #cfg { let #name = false; })
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

/// A name that no user's code can mention.
fn hidden(index: usize) -> Ident {
    format_ident!("__arg{}", index, span = Span::mixed_site())
}

fn ident(name: &Ident) -> Pat {
    Pat::Ident(PatIdent {
        attrs: Vec::new(),
        by_ref: None,
        mutability: None,
        ident: name.clone(),
        subpat: None,
    })
}

/// A parameter that `#[cfg]` takes away is not mentioned either.
fn cfgs(attrs: &[Attribute]) -> TokenStream {
    let conditions = attrs.iter().filter(|attribute| {
        let path = attribute.path();
        path.is_ident("cfg") || path.is_ident("cfg_attr")
    });
    conditions.map(ToTokens::to_token_stream).collect()
}

impl Expansion<'_> {
    /// Whether the body or an argument names the parameter, be it in a format string.
    fn mentions(&self, name: &Ident) -> bool {
        let name = name.to_string();
        let body = self.function.body.as_ref();
        body.is_some_and(|body| names(body.stream(), &name))
            || names(self.arguments.tokens(), &name)
    }
}

fn names(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(word) => word == name,
        TokenTree::Group(group) => names(group.stream(), name),
        TokenTree::Literal(text) => text.to_string().contains(name),
        TokenTree::Punct(_) => false,
    })
}

/// The names that a pattern binds, in order.
fn bindings(pattern: &Pat, names: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(found) => {
            names.push(found.ident.clone());
            if let Some((_, inner)) = &found.subpat {
                bindings(inner, names);
            }
        }
        Pat::Paren(inner) => bindings(&inner.pat, names),
        Pat::Reference(inner) => bindings(&inner.pat, names),
        Pat::Type(inner) => bindings(&inner.pat, names),
        Pat::Tuple(inner) => inner.elems.iter().for_each(|pattern| bindings(pattern, names)),
        Pat::TupleStruct(inner) => inner.elems.iter().for_each(|pattern| bindings(pattern, names)),
        Pat::Slice(inner) => inner.elems.iter().for_each(|pattern| bindings(pattern, names)),
        Pat::Struct(inner) => inner.fields.iter().for_each(|field| bindings(&field.pat, names)),
        // Both sides of an `or` bind the same names.
        Pat::Or(inner) => inner.cases.iter().take(1).for_each(|pattern| bindings(pattern, names)),
        _ => {}
    }
}
