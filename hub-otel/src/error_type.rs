//! Stable identifier of an error: `error.type` on spans, `error_type` in metrics.

use crate::semconv::status::{ERROR_TYPE_OTHER, ERROR_TYPE_TIMEOUT};
use std::borrow::Cow;
use std::error::Error;

/// An error with a stable identifier.
///
/// Derive it for enums: each variant becomes its name in snake_case. Without it, `error.type` is the
/// last segment of the type's path, and `_OTHER` for `Box<dyn Error>` and the like. An identifier is
/// never a message: it is a metric label, and must come from a small, fixed set.
///
/// ```
/// use std::borrow::Cow;
///
/// struct QuotaExceeded;
/// impl hub_otel::ErrorType for QuotaExceeded {
///     fn error_type(&self) -> Cow<'static, str> {
///         "quota_exceeded".into()
///     }
/// }
/// ```
///
/// Implemented for `std::io::Error`, for strings, and for `Box<dyn Error>`: a boxed error of this
/// library, of tokio's timeout or of `std::io` keeps its identifier, any other one is `_OTHER`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which error it is",
    note = "your own error: `#[derive(hub_otel::ErrorType)]`",
    note = "a foreign one: leave out `transparent` in a derive; in the builder, \
            `run_with(future, |result, unit| unit.by_error_type(result))` names it by its type"
)]
pub trait ErrorType {
    /// A stable identifier in snake_case, or a code.
    fn error_type(&self) -> Cow<'static, str>;

    /// `true`: the unit ends TIMED_OUT instead of FAILED.
    fn timed_out(&self) -> bool {
        false
    }
}

impl<E: ErrorType + ?Sized> ErrorType for &E {
    fn error_type(&self) -> Cow<'static, str> {
        E::error_type(self)
    }
    fn timed_out(&self) -> bool {
        E::timed_out(self)
    }
}

impl<E: ErrorType + ?Sized> ErrorType for Box<E> {
    fn error_type(&self) -> Cow<'static, str> {
        E::error_type(self)
    }
    fn timed_out(&self) -> bool {
        E::timed_out(self)
    }
}

impl<E: ErrorType + ?Sized> ErrorType for std::sync::Arc<E> {
    fn error_type(&self) -> Cow<'static, str> {
        E::error_type(self)
    }
    fn timed_out(&self) -> bool {
        E::timed_out(self)
    }
}

impl ErrorType for std::convert::Infallible {
    fn error_type(&self) -> Cow<'static, str> {
        ERROR_TYPE_OTHER.into()
    }
}

#[cfg(feature = "sdk")]
impl ErrorType for tokio::time::error::Elapsed {
    fn error_type(&self) -> Cow<'static, str> {
        ERROR_TYPE_TIMEOUT.into()
    }
    fn timed_out(&self) -> bool {
        true
    }
}

/// The type is the identifier: the content of a string is not from a fixed set.
impl ErrorType for str {
    fn error_type(&self) -> Cow<'static, str> {
        "str".into()
    }
}

impl ErrorType for String {
    fn error_type(&self) -> Cow<'static, str> {
        "String".into()
    }
}

/// Implements the trait for errors whose type was erased, by a downcast to the types of this file.
macro_rules! erased {
    ($($erased:ty),*) => {$(
        impl ErrorType for $erased {
            fn error_type(&self) -> Cow<'static, str> {
                within(self).map_or(ERROR_TYPE_OTHER.into(), ErrorType::error_type)
            }
            fn timed_out(&self) -> bool {
                within(self).is_some_and(ErrorType::timed_out)
            }
        }
    )*};
}

erased!(dyn Error, dyn Error + Send, dyn Error + Send + Sync);

fn within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a dyn ErrorType> {
    if let Some(error) = error.downcast_ref::<TimedOut>() {
        return Some(error);
    }
    #[cfg(feature = "sdk")]
    if let Some(error) = error.downcast_ref::<tokio::time::error::Elapsed>() {
        return Some(error);
    }
    error.downcast_ref::<std::io::Error>().map(|error| -> &dyn ErrorType { error })
}

impl ErrorType for std::io::Error {
    fn error_type(&self) -> Cow<'static, str> {
        use std::io::ErrorKind as K;
        if self.timed_out() {
            return ERROR_TYPE_TIMEOUT.into();
        }
        let error_type = match self.kind() {
            K::NotFound => "io_not_found",
            K::PermissionDenied => "io_permission_denied",
            K::ConnectionRefused => "io_connection_refused",
            K::ConnectionReset => "io_connection_reset",
            K::ConnectionAborted => "io_connection_aborted",
            K::NotConnected => "io_not_connected",
            K::AddrInUse => "io_address_in_use",
            K::AddrNotAvailable => "io_address_not_available",
            K::BrokenPipe => "io_broken_pipe",
            K::AlreadyExists => "io_already_exists",
            K::InvalidInput => "io_invalid_input",
            K::InvalidData => "io_invalid_data",
            K::TimedOut => "io_timed_out",
            K::WriteZero => "io_write_zero",
            K::Interrupted => "io_interrupted",
            K::UnexpectedEof => "io_unexpected_eof",
            K::OutOfMemory => "io_out_of_memory",
            K::StorageFull => "io_storage_full",
            _ => "io_other",
        };
        error_type.into()
    }
    /// A timeout of this library that was converted by `?`. A socket's own `TimedOut` is a failure.
    fn timed_out(&self) -> bool {
        self.get_ref().is_some_and(|inner| inner.is::<TimedOut>())
    }
}

/// The timeout of `timeout = …` passed.
///
/// An annotated function with a `timeout` returns `Result<_, E>` with `E: From<TimedOut>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TimedOut;

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the deadline passed")
    }
}

impl Error for TimedOut {}

impl ErrorType for TimedOut {
    fn error_type(&self) -> Cow<'static, str> {
        ERROR_TYPE_TIMEOUT.into()
    }
    fn timed_out(&self) -> bool {
        true
    }
}

impl From<TimedOut> for std::io::Error {
    fn from(timed_out: TimedOut) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, timed_out)
    }
}

/// Returns the identifier of an error without [`ErrorType`]: the last segment of its type's path,
/// without generic arguments; `_OTHER` for types that hide the error.
pub(crate) fn of_type_name(name: &'static str) -> &'static str {
    // Erased errors: their name is the same whatever happened.
    if name.contains("dyn ") || matches!(name, "anyhow::Error" | "eyre::Report") {
        return ERROR_TYPE_OTHER;
    }
    let name = name.trim_start_matches('&').trim_start_matches("mut ");
    let path = name.split('<').next().unwrap_or(name);
    match path.rsplit("::").next() {
        Some(segment)
            if segment.starts_with(|first: char| first.is_alphabetic() || first == '_') =>
        {
            segment
        }
        _ => ERROR_TYPE_OTHER,
    }
}

#[cfg(test)]
mod tests {
    use crate::error_type::of_type_name;

    #[test]
    fn a_foreign_error_is_named_by_the_last_segment_of_its_type() {
        assert_eq!(of_type_name("my_crate::error::ScanError"), "ScanError");
        assert_eq!(of_type_name("my_crate::Wrapped<alloc::string::String>"), "Wrapped");
        assert_eq!(of_type_name("&my_crate::ScanError"), "ScanError");
        assert_eq!(of_type_name("alloc::boxed::Box<dyn core::error::Error>"), "_OTHER");
        assert_eq!(of_type_name("anyhow::Error"), "_OTHER");
        assert_eq!(of_type_name("()"), "_OTHER");
    }
}
