//! Shape of a function, from its signature: `async`, returning a future or a stream, or
//! synchronous.

use super::Function;
use super::returned;
use super::streamed::{self, Declared, Streamed};
use super::types::{type_argument, unwrap_type};
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
    /// `fn … -> impl Stream`, a boxed stream, or a `Result` of one. The returned stream is wrapped.
    Stream,
    /// Any other function.
    Sync,
}

/// Output of a function.
#[derive(Clone, Copy)]
pub(crate) enum Output<'f> {
    /// No `->`.
    Unit,
    /// A type that can be written in the body, with `_` in place of an `impl Trait` inside of it.
    Type(&'f Type),
    /// A type that cannot be written: an `impl Trait`, or not in the signature.
    Unnamed,
    /// `-> !`
    Never,
}

impl Function {
    /// Determines the shape.
    pub(crate) fn shape(&self, declared: Declared) -> Shape {
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
            _ if declared == Declared::Future => Shape::Boxed,
            returned if streamed::find(returned, declared).is_some() => Shape::Stream,
            _ => Shape::Sync,
        }
    }

    /// Returns the type that the unit ends with: the returned one, or the output of the returned
    /// future. `None` if an alias hides it.
    pub(crate) fn outcome(&self, shape: Shape) -> Option<&Type> {
        let ReturnType::Type(_, returned) = &self.sig.output else { return None };
        let returned = unwrap_type(returned);
        match shape {
            Shape::Async | Shape::Stream | Shape::Sync => Some(returned),
            Shape::Opaque | Shape::Boxed | Shape::AsyncTrait => future_output(returned),
        }
    }

    /// Returns the stream that the function or its future returns.
    pub(crate) fn streamed(&self, declared: Declared) -> Option<Streamed<'_>> {
        let shape = self.shape(declared);
        streamed::find(self.outcome(shape).filter(|_| shape != Shape::Sync)?, declared)
    }

    /// Returns whether the error of the outcome contains a lifetime, so that it is not `'static`.
    pub(crate) fn has_borrowed_error(&self, shape: Shape) -> bool {
        self.outcome(shape).is_some_and(returned::has_borrowed_error)
    }

    /// Returns the bound of an `impl Trait` that is a future, but not by the name `Future`.
    pub(crate) fn unwrappable_future(&self) -> Option<&TypeParamBound> {
        let ReturnType::Type(_, returned) = &self.sig.output else { return None };
        let Type::ImplTrait(opaque) = unwrap_type(returned) else { return None };
        opaque.bounds.iter().find(|bound| {
            let TypeParamBound::Trait(bound) = bound else { return false };
            let last = bound.path.segments.last();
            last.is_some_and(|last| last.ident == "FusedFuture" || last.ident == "TryFuture")
        })
    }

    /// Determines the output of an `async fn` or a synchronous function.
    pub(crate) fn output(&self) -> Output<'_> {
        match &self.sig.output {
            ReturnType::Default => Output::Unit,
            ReturnType::Type(_, returned) => match unwrap_type(returned) {
                Type::Never(_) => Output::Never,
                Type::ImplTrait(_) => Output::Unnamed,
                returned => Output::Type(returned),
            },
        }
    }
}

fn is_future(bound: &TypeParamBound) -> bool {
    future_arguments(bound).is_some()
}

/// Arguments of a bound `Future<…>`.
fn future_arguments(bound: &TypeParamBound) -> Option<&PathArguments> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    bound.path.segments.last().filter(|last| last.ident == "Future").map(|last| &last.arguments)
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

/// Output of `impl Future<Output = T>`, `Pin<Box<dyn Future<Output = T>>>` or `BoxFuture<'_, T>`.
fn future_output(ty: &Type) -> Option<&Type> {
    let bounds = match ty {
        Type::ImplTrait(opaque) => &opaque.bounds,
        Type::TraitObject(object) => &object.bounds,
        Type::Path(path) => {
            let inner = type_argument(&path.path.segments.last()?.arguments).map(unwrap_type)?;
            return match &path.path.segments.last()?.ident {
                name if name == "Pin" || name == "Box" => future_output(inner),
                name if name == "BoxFuture" || name == "LocalBoxFuture" => Some(inner),
                _ => None,
            };
        }
        _ => return None,
    };
    let PathArguments::AngleBracketed(arguments) = bounds.iter().find_map(future_arguments)? else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(output) => Some(unwrap_type(&output.ty)),
        _ => None,
    })
}
