//! How a function runs, decided by its signature: it is a future, it returns one, or it returns a value.

use super::Function;
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound};

/// How a function runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// `async fn`
    Async,
    /// `fn … -> impl Future`: the returned value is wrapped.
    Opaque,
    /// `fn … -> Pin<Box<dyn Future>>`, `BoxFuture`, or an alias that the argument `future` vouches for.
    Boxed,
    /// What `async_trait` makes of an `async fn`: one `Box::pin(async move { … })`, wrapped inside.
    AsyncTrait,
    /// Everything else ends at its return.
    Sync,
}

/// What the unit's value is.
#[derive(Clone, Copy)]
pub(crate) enum Output<'f> {
    /// No `->`.
    Unit,
    /// A type that the body can be told.
    Type(&'f Type),
    /// It holds an `impl Trait`, or is not spelled in the signature: it cannot be named.
    Unnamed,
    /// `-> !`
    Never,
}

impl Function {
    /// `vouched`: the argument `future` says that the returned type is a future.
    pub(crate) fn shape(&self, vouched: bool) -> Shape {
        if self.sig.asyncness.is_some() {
            return Shape::Async;
        }
        let ReturnType::Type(_, returned) = &self.sig.output else { return Shape::Sync };
        match plain(returned) {
            Type::ImplTrait(opaque) if opaque.bounds.iter().any(is_future) => Shape::Opaque,
            returned if is_boxed_future(returned) => {
                let by_macro = self
                    .sig
                    .generics
                    .lifetimes()
                    .any(|found| found.lifetime.ident == "async_trait");
                if by_macro { Shape::AsyncTrait } else { Shape::Boxed }
            }
            _ if vouched => Shape::Boxed,
            _ => Shape::Sync,
        }
    }

    /// The value of an `async fn` or a sync fn.
    pub(crate) fn output(&self) -> Output<'_> {
        match &self.sig.output {
            ReturnType::Default => Output::Unit,
            ReturnType::Type(_, returned) => match plain(returned) {
                Type::Never(_) => Output::Never,
                _ if holds_impl(returned) => Output::Unnamed,
                returned => Output::Type(returned),
            },
        }
    }
}

/// Without the invisible group of a macro's `$ty` and without parentheses.
fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(paren) => plain(&paren.elem),
        other => other,
    }
}

fn is_future(bound: &TypeParamBound) -> bool {
    matches!(bound, TypeParamBound::Trait(bound) if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
}

fn is_boxed_future(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last() else { return false };
    if last.ident == "BoxFuture" || last.ident == "LocalBoxFuture" {
        return true;
    }
    last.ident == "Pin"
        && argument(&last.arguments).is_some_and(|pinned| match plain(pinned) {
            Type::Path(boxed) => boxed.path.segments.last().is_some_and(|last| {
                last.ident == "Box"
                    && argument(&last.arguments).is_some_and(|inner| is_dyn_future(plain(inner)))
            }),
            _ => false,
        })
}

fn is_dyn_future(ty: &Type) -> bool {
    match ty {
        Type::TraitObject(object) => object.bounds.iter().any(is_future),
        Type::ImplTrait(opaque) => opaque.bounds.iter().any(is_future),
        _ => false,
    }
}

/// The one type argument.
fn argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Whether an `impl Trait` stands anywhere in the type: `Result<impl Display, E>`.
fn holds_impl(ty: &Type) -> bool {
    use quote::ToTokens;
    fn any(tokens: proc_macro2::TokenStream) -> bool {
        tokens.into_iter().any(|tree| match tree {
            proc_macro2::TokenTree::Ident(word) => word == "impl",
            proc_macro2::TokenTree::Group(group) => any(group.stream()),
            _ => false,
        })
    }
    any(ty.to_token_stream())
}
