//! Attribute values: the types that map to a type of OpenTelemetry.

use crate::text::bounded;
use opentelemetry::{Key, Value};
use std::borrow::Cow;
use std::fmt::{Debug, Display};

pub(super) mod sealed {
    pub trait Sealed {}
}

/// A value of a span attribute: `fields(…)`, `ret(…)`, [`Unit::field`](crate::Unit::field),
/// [`Current::record`](crate::Current::record).
///
/// Implemented for `bool`, integers, floats, strings, `char`, references and boxes of them, for
/// arrays, slices and vectors of them, and for `Option`: `None` omits the attribute. Integers
/// beyond 64 bits become strings. Sealed: other crates cannot implement it.
///
/// ```
/// hub_otel::current().record("tokens", 1_024_u64).record("model", Some("m-1"));
/// hub_otel::current().record("gen_ai.response.finish_reasons", ["stop"]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no OpenTelemetry type",
    label = "write `%` (Display) or `?` (Debug) before this expression",
    note = "as an argument of a function, write `value.to_string()` or `format!(\"{{value:?}}\")`",
    note = "`bool`, integers, floats, strings, and arrays, slices and `Vec`s of them keep their type"
)]
pub trait AttributeValue: sealed::Sealed {
    /// Returns OpenTelemetry's value; `None` omits the attribute.
    #[doc(hidden)]
    fn to_otel(&self) -> Option<Value>;
}

macro_rules! values {
    ($($type:ty => |$value:ident| $into:expr;)*) => {$(
        impl sealed::Sealed for $type {}
        impl AttributeValue for $type {
            fn to_otel(&self) -> Option<Value> {
                let $value = self;
                Some($into)
            }
        }
    )*};
}

values! {
    bool => |v| Value::Bool(*v);
    i8 => |v| Value::I64(i64::from(*v));
    i16 => |v| Value::I64(i64::from(*v));
    i32 => |v| Value::I64(i64::from(*v));
    i64 => |v| Value::I64(*v);
    isize => |v| integer(*v);
    i128 => |v| integer(*v);
    u8 => |v| Value::I64(i64::from(*v));
    u16 => |v| Value::I64(i64::from(*v));
    u32 => |v| Value::I64(i64::from(*v));
    u64 => |v| integer(*v);
    usize => |v| integer(*v);
    u128 => |v| integer(*v);
    f32 => |v| Value::F64(f64::from(*v));
    f64 => |v| Value::F64(*v);
    str => |v| Value::String(v.to_owned().into());
    String => |v| Value::String(v.clone().into());
    Cow<'_, str> => |v| Value::String(v.clone().into_owned().into());
    char => |v| Value::String(v.to_string().into());
    std::sync::Arc<str> => |v| Value::String(v.clone().into());
    Value => |v| v.clone();
}

/// Formats an integer that does not fit into OpenTelemetry's 64 bits.
fn integer<T: TryInto<i64> + Display + Copy>(value: T) -> Value {
    value.try_into().map_or_else(|_| Value::String(value.to_string().into()), Value::I64)
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<T: sealed::Sealed + ?Sized> sealed::Sealed for $pointer {}
        impl<T: AttributeValue + ?Sized> AttributeValue for $pointer {
            fn to_otel(&self) -> Option<Value> {
                T::to_otel(self)
            }
        }
    )*};
}

pointers!(&T, &mut T, Box<T>);

impl<T: sealed::Sealed> sealed::Sealed for Option<T> {}
impl<T: AttributeValue> AttributeValue for Option<T> {
    fn to_otel(&self) -> Option<Value> {
        self.as_ref().and_then(AttributeValue::to_otel)
    }
}

fn text(arguments: std::fmt::Arguments<'_>) -> Value {
    Value::String(bounded::format(arguments).into())
}

/// Sink for attributes. Only exists for a unit that is sampled.
pub struct Fields<'a> {
    pub(crate) set: &'a mut dyn FnMut(Key, Value),
}

impl Fields<'_> {
    /// `key = expression`
    pub fn value(&mut self, key: &'static str, value: &(impl AttributeValue + ?Sized)) {
        if let Some(value) = value.to_otel() {
            (self.set)(Key::from_static_str(key), value);
        }
    }

    /// `key = %expression`
    pub fn display(&mut self, key: &'static str, value: &(impl Display + ?Sized)) {
        (self.set)(Key::from_static_str(key), text(format_args!("{value}")));
    }

    /// `key = ?expression`
    pub fn debug(&mut self, key: &'static str, value: &(impl Debug + ?Sized)) {
        (self.set)(Key::from_static_str(key), text(format_args!("{value:?}")));
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}
