//! Arrays of attribute values: slices, arrays and vectors of one type.

use crate::unit::attribute_value::{AttributeValue, sealed};
use opentelemetry::{Array, StringValue, Value};
use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

/// Largest number of elements that are taken. An exported span has no room for more.
const MAX_ELEMENTS: usize = 8 * 1024;

/// An element of an array of attribute values: `&[&str]`, `Vec<String>`, `[i64; 2]`.
///
/// Implemented for `bool`, integers, floats, strings, `char`, pointers to them, and for `Option`:
/// `None` is left out. Integers beyond 64 bits make it an array of strings.
#[diagnostic::on_unimplemented(
    message = "an array of `{Self}` has no OpenTelemetry type",
    label = "write `?` (Debug) before this expression",
    note = "elements of an array are `bool`, integers, floats or strings"
)]
pub trait ArrayElement: sealed::Sealed {
    /// Collects the elements.
    #[doc(hidden)]
    fn collect<'a>(elements: &mut dyn Iterator<Item = &'a Self>) -> Array
    where
        Self: 'a;
}

macro_rules! elements {
    ($($type:ty => |$element:ident| $array:ident($value:expr);)*) => {$(
        impl ArrayElement for $type {
            fn collect<'a>(elements: &mut dyn Iterator<Item = &'a Self>) -> Array
            where
                Self: 'a,
            {
                Array::$array(elements.take(MAX_ELEMENTS).map(|$element| $value).collect())
            }
        }
    )*};
}

elements! {
    bool => |v| Bool(*v);
    i8 => |v| I64(i64::from(*v));
    i16 => |v| I64(i64::from(*v));
    i32 => |v| I64(i64::from(*v));
    i64 => |v| I64(*v);
    u8 => |v| I64(i64::from(*v));
    u16 => |v| I64(i64::from(*v));
    u32 => |v| I64(i64::from(*v));
    f32 => |v| F64(f64::from(*v));
    f64 => |v| F64(*v);
    str => |v| String(StringValue::from(v.to_owned()));
    String => |v| String(StringValue::from(v.clone()));
    Cow<'_, str> => |v| String(StringValue::from(v.clone().into_owned()));
    char => |v| String(StringValue::from(v.to_string()));
}

/// Collects integers that may not fit into OpenTelemetry's 64 bits. The elements of an array have
/// one type: if one does not fit, all are strings.
fn integers<T: TryInto<i64> + Display + Copy>(elements: impl Iterator<Item = T>) -> Array {
    let elements: Vec<T> = elements.take(MAX_ELEMENTS).collect();
    let integers: Option<Vec<i64>> =
        elements.iter().map(|element| (*element).try_into().ok()).collect();
    let strings = || elements.iter().map(|element| element.to_string().into()).collect();
    integers.map_or_else(|| Array::String(strings()), Array::I64)
}

macro_rules! wide_integers {
    ($($type:ty),*) => {$(
        impl ArrayElement for $type {
            fn collect<'a>(elements: &mut dyn Iterator<Item = &'a Self>) -> Array
            where
                Self: 'a,
            {
                integers(elements.copied())
            }
        }
    )*};
}

wide_integers!(isize, usize, u64, i128, u128);

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<T: ArrayElement + ?Sized> ArrayElement for $pointer {
            fn collect<'a>(elements: &mut dyn Iterator<Item = &'a Self>) -> Array
            where
                Self: 'a,
            {
                T::collect(&mut elements.map(|element| -> &'a T { element }))
            }
        }
    )*};
}

pointers!(&T, &mut T, Box<T>);

impl ArrayElement for Arc<str> {
    fn collect<'a>(elements: &mut dyn Iterator<Item = &'a Self>) -> Array
    where
        Self: 'a,
    {
        str::collect(&mut elements.map(|element| -> &'a str { element }))
    }
}

impl<T: ArrayElement> ArrayElement for Option<T> {
    fn collect<'a>(elements: &mut dyn Iterator<Item = &'a Self>) -> Array
    where
        Self: 'a,
    {
        T::collect(&mut elements.filter_map(Option::as_ref))
    }
}

macro_rules! arrays {
    ($([$($generics:tt)*] $array:ty),* $(,)?) => {$(
        impl<T: sealed::Sealed, $($generics)*> sealed::Sealed for $array {}
        impl<T: ArrayElement, $($generics)*> AttributeValue for $array {
            fn to_otel(&self) -> Option<Value> {
                Some(Value::Array(T::collect(&mut self.iter())))
            }
        }
    )*};
}

arrays!([] [T], [] Vec<T>, [const N: usize] [T; N], [] Arc<[T]>);

impl<T: sealed::Sealed + Clone> sealed::Sealed for Cow<'_, [T]> {}
impl<T: ArrayElement + Clone> AttributeValue for Cow<'_, [T]> {
    fn to_otel(&self) -> Option<Value> {
        <[T]>::to_otel(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: impl AttributeValue) -> String {
        value.to_otel().unwrap().to_string()
    }

    #[test]
    fn arrays_keep_the_type_of_their_elements() {
        let owned = vec!["a".to_owned(), "b".to_owned()];
        for text in [
            value(["a", "b"]),
            value(&["a", "b"][..]),
            value(owned.clone()),
            value(&owned),
            value(owned.iter().collect::<Vec<&String>>()),
            value(owned.iter().map(|text| Arc::from(text.as_str())).collect::<Vec<Arc<str>>>()),
            value(vec!['a', 'b']),
            value(Arc::<[&str]>::from(["a", "b"])),
            value(Cow::Borrowed(&["a", "b"][..])),
            value(vec![Some("a"), None, Some("b")]),
            value(Some(["a", "b"])),
            value(Box::<[&str]>::from(["a", "b"])),
        ] {
            assert_eq!(text, r#"["a","b"]"#);
        }
        assert_eq!(value([1_u8, 2]), "[1,2]");
        assert_eq!(value([1_usize, 2]), "[1,2]");
        assert_eq!(value([1, u64::MAX]), r#"["1","18446744073709551615"]"#);
        assert_eq!(value([0.5, 1.5]), "[0.5,1.5]");
        assert_eq!(value([true, false]), "[true,false]");
        assert_eq!(value(Vec::<String>::new()), "[]");
    }

    #[test]
    fn the_number_of_elements_is_bounded() {
        let Some(Value::Array(Array::I64(taken))) = vec![7_u64; 100_000].to_otel() else {
            panic!("no array")
        };
        assert_eq!(taken.len(), MAX_ELEMENTS);
    }
}
