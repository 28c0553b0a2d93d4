//! Identification of an error whose type was erased, by a downcast to known types.
//!
//! The list is fixed, so the identifiers are bounded. An error that wraps others, as
//! `anyhow::Context` makes one, is identified by the first known type of its source chain.

use super::{ErrorType, TimedOut, naming};
use crate::budget::BudgetExceeded;
use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;

/// Longest source chain that is followed.
pub(crate) const MAX_SOURCES: usize = 16;

/// A known error.
pub(crate) struct Known {
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) timed_out: bool,
}

/// Identifies `error`, or the first of its sources that is known.
pub(crate) fn identify(error: &(dyn Error + 'static)) -> Option<Known> {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.take(MAX_SOURCES).find_map(of_error)
}

fn of_error(error: &(dyn Error + 'static)) -> Option<Known> {
    if let Some(error) = with_error_type(error) {
        return Some(Known { error_type: error.error_type(), timed_out: error.timed_out() });
    }
    let name = foreign(error)?;
    Some(Known { error_type: naming::of_type_name(name), timed_out: false })
}

/// Returns an error that implements [`ErrorType`].
fn with_error_type<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a dyn ErrorType> {
    if let Some(error) = error.downcast_ref::<TimedOut>() {
        return Some(error);
    }
    if let Some(error) = error.downcast_ref::<BudgetExceeded>() {
        return Some(error);
    }
    #[cfg(feature = "sdk")]
    if let Some(error) = error.downcast_ref::<tokio::time::error::Elapsed>() {
        return Some(error);
    }
    error.downcast_ref::<std::io::Error>().map(|error| -> &dyn ErrorType { error })
}

/// Returns the name of the error's type, if it is one of these.
macro_rules! foreign {
    ($($(#[$condition:meta])* $known:ty),* $(,)?) => {
        fn foreign(error: &(dyn Error + 'static)) -> Option<&'static str> {
            $($(#[$condition])* if error.is::<$known>() {
                return Some(type_name::<$known>());
            })*
            None
        }
    };
}

foreign! {
    std::fmt::Error,
    std::num::ParseIntError,
    std::num::ParseFloatError,
    std::num::TryFromIntError,
    std::str::ParseBoolError,
    std::str::Utf8Error,
    std::string::FromUtf8Error,
    std::char::ParseCharError,
    std::array::TryFromSliceError,
    std::collections::TryReserveError,
    std::env::VarError,
    std::ffi::NulError,
    std::net::AddrParseError,
    std::path::StripPrefixError,
    std::sync::mpsc::RecvError,
    std::sync::mpsc::RecvTimeoutError,
    std::time::SystemTimeError,
    #[cfg(feature = "sdk")]
    tokio::task::JoinError,
    #[cfg(feature = "sdk")]
    tokio::sync::oneshot::error::RecvError,
    #[cfg(feature = "sdk")]
    tokio::sync::broadcast::error::RecvError,
    #[cfg(feature = "sdk")]
    tokio::sync::watch::error::RecvError,
    #[cfg(feature = "sdk")]
    tokio::sync::AcquireError,
    #[cfg(feature = "sqlx")]
    sqlx::Error,
    #[cfg(feature = "reqwest")]
    reqwest::Error,
    #[cfg(feature = "otlp-http")]
    serde_json::Error,
    #[cfg(feature = "otlp-grpc")]
    tonic::Status,
    #[cfg(feature = "otlp-grpc")]
    tonic::transport::Error,
    #[cfg(any(feature = "otlp-http", feature = "prometheus"))]
    hyper::Error,
}
