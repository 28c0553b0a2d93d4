//! Shape of a function, from its signature: `async`, returning a future, or synchronous.

use super::Function;
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeParamBound};

/// Shape of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// `async fn`
    Async,
    /// `fn … -> impl Future`. The returned future is wrapped.
    Opaque,
    /// `fn … -> Pin<Box<dyn Future>>`, `BoxFuture`, or an alias with the argument `future`.
    Boxed,
    /// Expansion of an `async fn` by `async_trait`: `Box::pin(async move { … })`. The inner block
    /// is wrapped.
    AsyncTrait,
    /// Any other function.
    Sync,
}

/// Output of a function.
#[derive(Clone, Copy)]
pub(crate) enum Output<'f> {
    /// No `->`.
    Unit,
    /// A type that can be written in the body.
    Type(&'f Type),
    /// A type that cannot be written: it contains `impl Trait` or is not in the signature.
    Unnamed,
    /// `-> !`
    Never,
}

impl Function {
    /// Determines the shape. `is_declared_future`: the argument `future` is set.
    pub(crate) fn shape(&self, is_declared_future: bool) -> Shape {
        if self.sig.asyncness.is_some() {
            return Shape::Async;
        }
        let ReturnType::Type(_, returned) = &self.sig.output else { return Shape::Sync };
        match unwrap_type(returned) {
            Type::ImplTrait(opaque) if opaque.bounds.iter().any(is_future) => Shape::Opaque,
            returned if is_boxed_future(returned) => {
                let is_async_trait = self
                    .sig
                    .generics
                    .lifetimes()
                    .any(|found| found.lifetime.ident == "async_trait");
                if is_async_trait { Shape::AsyncTrait } else { Shape::Boxed }
            }
            _ if is_declared_future => Shape::Boxed,
            _ => Shape::Sync,
        }
    }

    /// Determines the output of an `async fn` or a synchronous function.
    pub(crate) fn output(&self) -> Output<'_> {
        match &self.sig.output {
            ReturnType::Default => Output::Unit,
            ReturnType::Type(_, returned) => match unwrap_type(returned) {
                Type::Never(_) => Output::Never,
                _ if contains_impl_trait(returned) => Output::Unnamed,
                returned => Output::Type(returned),
            },
        }
    }
}

/// Removes parentheses and the invisible group around a macro's `$ty`.
fn unwrap_type(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => unwrap_type(&group.elem),
        Type::Paren(paren) => unwrap_type(&paren.elem),
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
        && type_argument(&last.arguments).is_some_and(|pinned| match unwrap_type(pinned) {
            Type::Path(boxed) => boxed.path.segments.last().is_some_and(|last| {
                last.ident == "Box"
                    && type_argument(&last.arguments)
                        .is_some_and(|inner| is_dyn_future(unwrap_type(inner)))
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

/// First type argument.
fn type_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Returns whether the type contains `impl Trait`, as `Result<impl Display, E>` does.
fn contains_impl_trait(ty: &Type) -> bool {
    use quote::ToTokens;
    fn contains_impl(tokens: proc_macro2::TokenStream) -> bool {
        tokens.into_iter().any(|tree| match tree {
            proc_macro2::TokenTree::Ident(name) => name == "impl",
            proc_macro2::TokenTree::Group(group) => contains_impl(group.stream()),
            _ => false,
        })
    }
    contains_impl(ty.to_token_stream())
}
