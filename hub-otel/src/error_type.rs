//! Stable identifier of an error: `error.type` on spans, `error_type` in metrics.

pub(crate) mod known;
pub(crate) mod naming;

use crate::budget::BudgetExceeded;
use crate::semconv::error_type as error_types;
use std::borrow::Cow;
use std::error::Error;

/// An error with a stable identifier.
///
/// Derive it for enums: each variant becomes its name in snake_case. Without it, `error.type` is
/// made of crate and type: `sqlx_error`, `serde_json_error`, `my_crate_scan_error`; an error of
/// std is named by its type (`parse_int_error`, `fmt_error`). An identifier is never a message: it
/// is a metric label, and must come from a small, fixed set.
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
/// Implemented for `std::io::Error`, for strings, and for `Box<dyn Error>`. A boxed error, an
/// `anyhow::Error` and an `eyre::Report` are identified by the first known type of their source
/// chain: an error of this library, of std, of tokio, or of a crate that an enabled feature depends
/// on (`sqlx`, `reqwest`, `serde_json`, `tonic`, `hyper`). Any other one is `_OTHER`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no error type",
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

    /// The cause of the error, for the message of a unit that ends by a builder. Derived.
    #[doc(hidden)]
    fn error_source(&self) -> Option<&(dyn Error + 'static)> {
        None
    }
}

macro_rules! pointers {
    ($($pointer:ty),*) => {$(
        impl<E: ErrorType + ?Sized> ErrorType for $pointer {
            fn error_type(&self) -> Cow<'static, str> {
                E::error_type(self)
            }
            fn timed_out(&self) -> bool {
                E::timed_out(self)
            }
            fn error_source(&self) -> Option<&(dyn Error + 'static)> {
                E::error_source(self)
            }
        }
    )*};
}

pointers!(&E, Box<E>, std::sync::Arc<E>);

impl ErrorType for std::convert::Infallible {
    fn error_type(&self) -> Cow<'static, str> {
        error_types::OTHER.into()
    }
}

#[cfg(feature = "sdk")]
impl ErrorType for tokio::time::error::Elapsed {
    fn error_type(&self) -> Cow<'static, str> {
        error_types::TIMEOUT.into()
    }
    fn timed_out(&self) -> bool {
        true
    }
}

/// The type is the identifier: the content of a string is not from a fixed set.
impl ErrorType for str {
    fn error_type(&self) -> Cow<'static, str> {
        error_types::STR.into()
    }
}

impl ErrorType for String {
    fn error_type(&self) -> Cow<'static, str> {
        error_types::STRING.into()
    }
}

/// Implements the trait for errors whose type was erased.
macro_rules! erased {
    ($($erased:ty),*) => {$(
        impl ErrorType for $erased {
            fn error_type(&self) -> Cow<'static, str> {
                known::identify(self).map_or(error_types::OTHER.into(), |known| known.error_type)
            }
            fn timed_out(&self) -> bool {
                known::identify(self).is_some_and(|known| known.timed_out)
            }
            fn error_source(&self) -> Option<&(dyn Error + 'static)> {
                self.source()
            }
        }
    )*};
}

erased!(dyn Error, dyn Error + Send, dyn Error + Send + Sync);

impl ErrorType for std::io::Error {
    fn error_type(&self) -> Cow<'static, str> {
        use std::io::ErrorKind as K;
        if self.timed_out() {
            return error_types::TIMEOUT.into();
        }
        if self.get_ref().is_some_and(|inner| inner.is::<BudgetExceeded>()) {
            return error_types::BUDGET_EXCEEDED.into();
        }
        let error_type = match self.kind() {
            K::NotFound => error_types::io::NOT_FOUND,
            K::PermissionDenied => error_types::io::PERMISSION_DENIED,
            K::ConnectionRefused => error_types::io::CONNECTION_REFUSED,
            K::ConnectionReset => error_types::io::CONNECTION_RESET,
            K::ConnectionAborted => error_types::io::CONNECTION_ABORTED,
            K::NotConnected => error_types::io::NOT_CONNECTED,
            K::AddrInUse => error_types::io::ADDRESS_IN_USE,
            K::AddrNotAvailable => error_types::io::ADDRESS_NOT_AVAILABLE,
            K::BrokenPipe => error_types::io::BROKEN_PIPE,
            K::AlreadyExists => error_types::io::ALREADY_EXISTS,
            K::InvalidInput => error_types::io::INVALID_INPUT,
            K::InvalidData => error_types::io::INVALID_DATA,
            K::TimedOut => error_types::io::TIMED_OUT,
            K::WriteZero => error_types::io::WRITE_ZERO,
            K::Interrupted => error_types::io::INTERRUPTED,
            K::UnexpectedEof => error_types::io::UNEXPECTED_EOF,
            K::OutOfMemory => error_types::io::OUT_OF_MEMORY,
            K::StorageFull => error_types::io::STORAGE_FULL,
            _ => error_types::io::OTHER,
        };
        error_type.into()
    }
    /// A timeout of this library that was converted by `?`. A socket's own `TimedOut` is a failure.
    fn timed_out(&self) -> bool {
        self.get_ref().is_some_and(|inner| inner.is::<TimedOut>())
    }
    fn error_source(&self) -> Option<&(dyn Error + 'static)> {
        self.source()
    }
}

/// The timeout of `timeout = …` passed.
///
/// An annotated function with a `timeout` returns `Result<_, E>` with `E: From<TimedOut>`.
///
/// ```
/// use hub_otel::{ErrorType, TimedOut, instrument_agent};
///
/// #[derive(Debug, ErrorType)]
/// enum ScanError {
///     #[hub(timed_out)]
///     TooSlow,
/// }
///
/// impl From<TimedOut> for ScanError {
///     fn from(_: TimedOut) -> Self {
///         Self::TooSlow
///     }
/// }
///
/// #[instrument_agent(timeout = std::time::Duration::from_secs(2))]
/// async fn scan() -> Result<u32, ScanError> {
///     Ok(1)
/// }
/// ```
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
        error_types::TIMEOUT.into()
    }
    fn timed_out(&self) -> bool {
        true
    }
}

impl ErrorType for BudgetExceeded {
    fn error_type(&self) -> Cow<'static, str> {
        error_types::BUDGET_EXCEEDED.into()
    }
}

impl From<TimedOut> for std::io::Error {
    fn from(timed_out: TimedOut) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, timed_out)
    }
}
