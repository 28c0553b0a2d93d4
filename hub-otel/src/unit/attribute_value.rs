//! Values of `fields(…)`, `ret(…)` and late attributes: typed where OpenTelemetry has the type.

use opentelemetry::Key;
use opentelemetry::Value;
use std::borrow::Cow;
use std::fmt::Debug;
use std::fmt::Display;

/// A value that OpenTelemetry has a type for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no OpenTelemetry type",
    label = "write `%` (Display) or `?` (Debug) before this expression"
)]
pub trait Field {
    /// The value; `None` leaves the attribute out.
    fn value(&self) -> Option<Value>;
}

macro_rules! fields {
    ($($type:ty => |$value:ident| $into:expr;)*) => {$(
        impl Field for $type {
            fn value(&self) -> Option<Value> {
                let $value = self;
                Some($into)
            }
        }
    )*};
}

fields! {
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

/// What does not fit into OpenTelemetry's 64 bits is written out.
fn integer<T: TryInto<i64> + Display + Copy>(value: T) -> Value {
    value.try_into().map_or_else(|_| Value::String(value.to_string().into()), Value::I64)
}

impl<T: Field + ?Sized> Field for &T {
    fn value(&self) -> Option<Value> {
        T::value(self)
    }
}

impl<T: Field + ?Sized> Field for &mut T {
    fn value(&self) -> Option<Value> {
        T::value(self)
    }
}

impl<T: Field + ?Sized> Field for Box<T> {
    fn value(&self) -> Option<Value> {
        T::value(self)
    }
}

impl<T: Field> Field for Option<T> {
    fn value(&self) -> Option<Value> {
        self.as_ref().and_then(Field::value)
    }
}

/// Takes attributes one by one. Exists only while something records.
pub struct Fields<'a> {
    pub(crate) set: &'a mut dyn FnMut(Key, Value),
}

impl Fields<'_> {
    /// `key = expression`
    pub fn value(&mut self, key: &'static str, value: &(impl Field + ?Sized)) {
        if let Some(value) = value.value() {
            (self.set)(Key::from_static_str(key), value);
        }
    }

    /// `key = %expression`
    pub fn display(&mut self, key: &'static str, value: &(impl Display + ?Sized)) {
        (self.set)(Key::from_static_str(key), Value::String(value.to_string().into()));
    }

    /// `key = ?expression`
    pub fn debug(&mut self, key: &'static str, value: &(impl Debug + ?Sized)) {
        (self.set)(Key::from_static_str(key), Value::String(format!("{value:?}").into()));
    }
}

impl std::fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fields").finish_non_exhaustive()
    }
}
