//! Parts of a returned type: borrows in its error, and `impl Trait` inside of it.

use super::types::unwrap_type;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReturnType, Type, TypeInfer, TypeParamBound};

/// Returns whether the error of `Result<T, E>`, or of an alias with a lifetime, may be borrowed.
///
/// The value of an alias with one type argument, such as `io::Result<&str>`, is not its error. An
/// associated type may be anything.
pub(super) fn has_borrowed_error(ty: &Type) -> bool {
    let Type::Path(path) = unwrap_type(ty) else { return false };
    if is_associated(path) {
        return true;
    }
    let Some(PathArguments::AngleBracketed(arguments)) =
        path.path.segments.last().map(|last| &last.arguments)
    else {
        return false;
    };
    let types = || {
        arguments.args.iter().filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
    };
    let lifetimes = arguments.args.iter().any(
        |argument| matches!(argument, GenericArgument::Lifetime(found) if found.ident != "static"),
    );
    let error = types().nth(1).and_then(|_| types().last());
    lifetimes
        || error.is_some_and(|error| {
            matches!(unwrap_type(error), Type::Path(path) if is_associated(path))
                || contains_borrow(error.to_token_stream())
        })
}

/// Returns whether the path is a type of a trait: `Self::Error`, `T::Err`, `<T as FromStr>::Err`.
fn is_associated(path: &syn::TypePath) -> bool {
    let starts_with_type = || {
        let first = path.path.segments.first().map(|first| first.ident.to_string());
        first.is_some_and(|first| first.starts_with(char::is_uppercase))
    };
    path.qself.is_some() || (path.path.segments.len() > 1 && starts_with_type())
}

/// Returns whether tokens of a type contain a reference or a lifetime other than `'static`.
fn contains_borrow(tokens: TokenStream) -> bool {
    let mut after_quote = false;
    tokens.into_iter().any(|tree| {
        let is_lifetime = std::mem::take(&mut after_quote);
        match tree {
            TokenTree::Punct(punct) => {
                after_quote = punct.as_char() == '\'';
                punct.as_char() == '&'
            }
            TokenTree::Ident(name) => is_lifetime && name != "static",
            TokenTree::Group(group) => contains_borrow(group.stream()),
            TokenTree::Literal(_) => false,
        }
    })
}

/// Returns the type with `_` in place of each `impl Trait`: the form that a body can write.
pub(crate) fn without_impl_trait(ty: &Type) -> Type {
    let mut ty = ty.clone();
    erase(&mut ty);
    ty
}

fn erase(ty: &mut Type) {
    match ty {
        Type::ImplTrait(_) => {
            *ty = Type::Infer(TypeInfer { attrs: Vec::new(), underscore_token: <_>::default() })
        }
        Type::Array(inner) => erase(&mut inner.elem),
        Type::Slice(inner) => erase(&mut inner.elem),
        Type::Reference(inner) => erase(&mut inner.elem),
        Type::Ptr(inner) => erase(&mut inner.elem),
        Type::Paren(inner) => erase(&mut inner.elem),
        Type::Group(inner) => erase(&mut inner.elem),
        Type::Tuple(inner) => inner.elems.iter_mut().for_each(erase),
        Type::Path(inner) => erase_in_path(&mut inner.path),
        Type::TraitObject(object) => {
            for bound in &mut object.bounds {
                if let TypeParamBound::Trait(bound) = bound {
                    erase_in_path(&mut bound.path);
                }
            }
        }
        _ => {}
    }
}

fn erase_in_path(path: &mut syn::Path) {
    for segment in &mut path.segments {
        match &mut segment.arguments {
            PathArguments::None => {}
            PathArguments::AngleBracketed(arguments) => {
                for argument in &mut arguments.args {
                    match argument {
                        GenericArgument::Type(ty) => erase(ty),
                        GenericArgument::AssocType(output) => erase(&mut output.ty),
                        _ => {}
                    }
                }
            }
            PathArguments::Parenthesized(arguments) => {
                if let ReturnType::Type(_, output) = &mut arguments.output {
                    erase(output);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{has_borrowed_error, without_impl_trait};
    use quote::ToTokens;
    use syn::parse_quote;

    #[test]
    fn only_a_borrow_in_the_error_counts() {
        let borrowed: [syn::Type; 9] = [
            parse_quote!(Result<u8, Self::Error>),
            parse_quote!(Result<u8, <T as FromStr>::Err>),
            parse_quote!(Self::Output),
            parse_quote!(Result<u8, Box<dyn Error + 'a>>),
            parse_quote!(Result<u8, Box<dyn Error + '_>>),
            parse_quote!(std::result::Result<u8, &str>),
            parse_quote!(Result<&str, ParseError<'_>>),
            parse_quote!(Answer<'a, u8>),
            parse_quote!((Result<u8, (u8, &'a str)>)),
        ];
        assert!(borrowed.iter().all(has_borrowed_error));
        let owned: [syn::Type; 6] = [
            parse_quote!(Result<&str, Box<dyn Error>>),
            parse_quote!(Result<u8, Box<dyn Error + Send + 'static>>),
            parse_quote!(io::Result<&'a str>),
            parse_quote!(Option<&str>),
            parse_quote!(&str),
            parse_quote!(Answer),
        ];
        assert!(!owned.iter().any(has_borrowed_error));
    }

    #[test]
    fn every_impl_trait_inside_of_a_type_is_inferred() {
        let types: [(syn::Type, syn::Type); 5] = [
            (parse_quote!(Result<impl A + Send, E>), parse_quote!(Result<_, E>)),
            (parse_quote!((impl A, [impl B; 2])), parse_quote!((_, [_; 2]))),
            (
                parse_quote!(Box<dyn Iterator<Item = impl A>>),
                parse_quote!(Box<dyn Iterator<Item = _>>),
            ),
            (parse_quote!(&'a Option<impl A>), parse_quote!(&'a Option<_>)),
            (parse_quote!(Box<dyn Fn(u8) -> impl A>), parse_quote!(Box<dyn Fn(u8) -> _>)),
        ];
        for (ty, expected) in types {
            let found = without_impl_trait(&ty).to_token_stream().to_string();
            assert_eq!(found, expected.to_token_stream().to_string());
        }
    }
}
