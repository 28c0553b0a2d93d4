//! Streams among returned types: `impl Stream`, `Pin<Box<dyn Stream>>`, `BoxStream`, or a `Result`
//! of one.

use super::returned;
use super::types::{type_argument, unwrap_type};
use syn::{GenericArgument, Path, PathArguments, Type, TypeParamBound};

/// Declaration of a returned type whose name does not show what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Declared {
    Nothing,
    /// The argument `future`.
    Future,
    /// The argument `stream`.
    Stream,
}

/// Traits of streams. A `TryStream` and a `FusedStream` are streams as well.
const TRAITS: [&str; 3] = ["Stream", "TryStream", "FusedStream"];

/// A returned stream.
pub(crate) struct Streamed<'f> {
    /// Type of the stream.
    pub(crate) stream: &'f Type,
    /// `Item` of the bound, or the argument of `BoxStream`.
    item: Option<&'f Type>,
    pub(crate) is_boxed: bool,
    /// The function returns a `Result` of the stream.
    pub(crate) in_result: bool,
}

impl Streamed<'_> {
    /// Type of the items of an `impl Stream`. A boxed one has it in its own type.
    pub(crate) fn opaque_item(&self) -> Option<&Type> {
        self.item.filter(|_| !self.is_boxed)
    }

    /// Returns whether the error of an item contains a lifetime, so that it is not `'static`.
    pub(crate) fn has_borrowed_error(&self) -> bool {
        self.item.is_some_and(returned::has_borrowed_error)
    }
}

/// Finds the stream in a returned type.
pub(super) fn find(returned: &Type, declared: Declared) -> Option<Streamed<'_>> {
    let returned = unwrap_type(returned);
    let value = result_value(returned);
    let (in_result, stream) = (value.is_some(), value.unwrap_or(returned));
    match stream {
        Type::ImplTrait(opaque) if opaque.bounds.iter().any(is_stream) => {
            let item = opaque.bounds.iter().find_map(bound_item);
            Some(Streamed { stream, item, is_boxed: false, in_result })
        }
        Type::Path(path) if is_boxed_stream(&path.path) => {
            let item = boxed_item(&path.path);
            Some(Streamed { stream, item, is_boxed: true, in_result })
        }
        _ if declared == Declared::Stream => {
            Some(Streamed { stream, item: None, is_boxed: true, in_result })
        }
        _ => None,
    }
}

/// Returns whether a future or a stream can be behind the type's name. Most types are known to be
/// neither, and need no check by the compiler.
pub(crate) fn may_hide_work(ty: &Type) -> bool {
    const VALUES: [&str; 20] = [
        "bool", "char", "str", "String", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16",
        "i32", "i64", "i128", "isize", "f32", "f64", "Vec", "Option",
    ];
    let ty = unwrap_type(ty);
    match ty {
        Type::Path(path) if path.qself.is_none() => match result_value(ty) {
            Some(value) => may_hide_work(value),
            None => !path
                .path
                .segments
                .last()
                .is_some_and(|last| VALUES.iter().any(|name| last.ident == name)),
        },
        Type::Reference(reference) => reference.mutability.is_some(),
        Type::Tuple(_) | Type::Array(_) | Type::Slice(_) | Type::Never(_) => false,
        _ => true,
    }
}

/// `T` of `Result<T, E>`, also of an alias by this name.
fn result_value(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    type_argument(&last.arguments).map(unwrap_type)
}

/// Arguments of a bound `Stream<…>`.
fn stream_arguments(bound: &TypeParamBound) -> Option<&PathArguments> {
    let TypeParamBound::Trait(bound) = bound else { return None };
    let last = bound.path.segments.last()?;
    TRAITS.iter().any(|name| last.ident == name).then_some(&last.arguments)
}

fn is_stream(bound: &TypeParamBound) -> bool {
    stream_arguments(bound).is_some()
}

/// `T` of a bound `Stream<Item = T>`.
fn bound_item(bound: &TypeParamBound) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = stream_arguments(bound)? else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(item) if item.ident == "Item" => Some(unwrap_type(&item.ty)),
        _ => None,
    })
}

fn is_boxed_stream(path: &Path) -> bool {
    let Some(last) = path.segments.last() else { return false };
    last.ident == "BoxStream"
        || last.ident == "LocalBoxStream"
        || pinned_box(path).is_some_and(|ty| bounds(ty).is_some_and(|mut all| all.any(is_stream)))
}

/// `T` of `BoxStream<'_, T>` or `Pin<Box<dyn Stream<Item = T>>>`.
fn boxed_item(path: &Path) -> Option<&Type> {
    match pinned_box(path) {
        Some(ty) => bounds(ty)?.find_map(bound_item),
        None => type_argument(&path.segments.last()?.arguments).map(unwrap_type),
    }
}

/// `T` of `Pin<Box<T>>`.
fn pinned_box(path: &Path) -> Option<&Type> {
    let pin = path.segments.last().filter(|last| last.ident == "Pin")?;
    let Type::Path(pinned) = unwrap_type(type_argument(&pin.arguments)?) else { return None };
    let boxed = pinned.path.segments.last().filter(|last| last.ident == "Box")?;
    type_argument(&boxed.arguments).map(unwrap_type)
}

/// Bounds of `dyn …` or `impl …`.
fn bounds(ty: &Type) -> Option<impl Iterator<Item = &TypeParamBound>> {
    match ty {
        Type::TraitObject(object) => Some(object.bounds.iter()),
        Type::ImplTrait(opaque) => Some(opaque.bounds.iter()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{find, may_hide_work};
    use crate::item::Declared;
    use syn::parse_quote;

    /// Boxed, inside of a `Result`, with the type of its items.
    fn describe(ty: &syn::Type, declared: Declared) -> Option<(bool, bool, bool)> {
        find(ty, declared).map(|found| (found.is_boxed, found.in_result, found.item.is_some()))
    }

    #[test]
    fn streams_are_found_by_the_names_of_the_field() {
        let found: [(syn::Type, _); 11] = [
            (parse_quote!(impl Stream<Item = u8>), (false, false, true)),
            (
                parse_quote!(impl Send + futures::Stream<Item = u8> + use<'a, T>),
                (false, false, true),
            ),
            (parse_quote!(impl FusedStream<Item = &'a str> + 'a), (false, false, true)),
            (parse_quote!(impl TryStream<Ok = u8, Error = E>), (false, false, false)),
            (parse_quote!(BoxStream<'static, u8>), (true, false, true)),
            (parse_quote!(futures::stream::LocalBoxStream<'_, u8>), (true, false, true)),
            (
                parse_quote!(std::pin::Pin<Box<dyn Stream<Item = u8> + Send + 'a>>),
                (true, false, true),
            ),
            (parse_quote!(Pin<Box<impl Stream<Item = u8>>>), (true, false, true)),
            (parse_quote!(Result<impl Stream<Item = u8>, E>), (false, true, true)),
            (parse_quote!(io::Result<BoxStream<'_, u8>>), (true, true, true)),
            (parse_quote!((impl Stream)), (false, false, false)),
        ];
        for (ty, expected) in &found {
            assert_eq!(describe(ty, Declared::Nothing), Some(*expected));
        }
    }

    #[test]
    fn known_types_hide_no_work() {
        let known: [syn::Type; 6] = [
            parse_quote!(Result<usize, E>),
            parse_quote!(std::io::Result<()>),
            parse_quote!(Option<Rows>),
            parse_quote!(&'a Rows),
            parse_quote!((Rows, u8)),
            parse_quote!([Rows; 2]),
        ];
        assert!(!known.iter().any(may_hide_work));
        let unknown: [syn::Type; 7] = [
            parse_quote!(Rows),
            parse_quote!(Result<Rows, E>),
            parse_quote!(Result),
            parse_quote!(Box<dyn Stream<Item = u8> + Unpin>),
            parse_quote!(&mut Rows),
            parse_quote!(<T as Source>::Rows),
            parse_quote!(impl Rows),
        ];
        assert!(unknown.iter().all(may_hide_work));
    }

    #[test]
    fn other_types_are_streams_only_if_they_are_declared() {
        let others: [syn::Type; 5] = [
            parse_quote!(Lines),
            parse_quote!(Box<dyn Stream<Item = u8> + Unpin>),
            parse_quote!(Option<impl Stream<Item = u8>>),
            parse_quote!(impl Iterator<Item = u8>),
            parse_quote!(Pin<Box<dyn Future<Output = u8>>>),
        ];
        for ty in &others {
            assert_eq!(describe(ty, Declared::Nothing), None);
            assert_eq!(describe(ty, Declared::Stream), Some((true, false, false)));
        }
        let in_result: syn::Type = parse_quote!(Result<Lines, E>);
        assert_eq!(describe(&in_result, Declared::Nothing), None);
        assert_eq!(describe(&in_result, Declared::Stream), Some((true, true, false)));
    }
}
