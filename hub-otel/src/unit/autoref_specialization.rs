//! What a returned value says, by its type and not by its name: aliases, early returns and `?` are all seen.
//!
//! Generated code calls a method on `&&…ValueOf(value)`. Method lookup takes one `&` away at a time, so the
//! implementation for the most references that fits the type wins; that is how an error that has Display is written by
//! Display, one that has only Debug by Debug, and one with neither not at all. The methods have names that no user's
//! type has, because the traits are in scope of the user's expressions.

use crate::error_type::ErrorType;
use crate::unit::outcome::{Classification, Debugged, Displayed, Silent, known, of_type};
use std::convert::Infallible;
use std::fmt::Debug;
use std::fmt::Display;

/// A value that was returned.
#[derive(Debug)]
pub struct ValueOf<'a, T: ?Sized>(pub &'a T);

/// `(&&&&&&&ValueOf(value)).hub_otel_close(closing)` says what the value means.
pub trait Close {
    /// Tells `closing`.
    fn hub_otel_close(&self, closing: &mut Classification);
}

impl<T, E: ErrorType + Display> Close for &&&&&&ValueOf<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_close(&self, closing: &mut Classification) {
        if let Err(error) = self.0 {
            closing.error(known(error), &Displayed(error));
        }
    }
}

impl<T, E: ErrorType + Debug> Close for &&&&&ValueOf<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_close(&self, closing: &mut Classification) {
        if let Err(error) = self.0 {
            closing.error(known(error), &Debugged(error));
        }
    }
}

impl<T, E: ErrorType> Close for &&&&ValueOf<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_close(&self, closing: &mut Classification) {
        if let Err(error) = self.0 {
            closing.error(known(error), &Silent);
        }
    }
}

impl<T, E: Display> Close for &&&ValueOf<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_close(&self, closing: &mut Classification) {
        if let Err(error) = self.0 {
            closing.error(of_type::<E>(), &Displayed(error));
        }
    }
}

impl<T, E: Debug> Close for &&ValueOf<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_close(&self, closing: &mut Classification) {
        if let Err(error) = self.0 {
            closing.error(of_type::<E>(), &Debugged(error));
        }
    }
}

impl<T, E> Close for &ValueOf<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_close(&self, closing: &mut Classification) {
        if self.0.is_err() {
            closing.error(of_type::<E>(), &Silent);
        }
    }
}

/// Anything else is a success.
impl<T: ?Sized> Close for ValueOf<'_, T> {
    #[inline]
    fn hub_otel_close(&self, _: &mut Classification) {}
}

/// `(&&ValueOf(value)).hub_otel_error()` is the error, if the value is one.
pub trait ErrorOf<'a> {
    /// The error's type.
    type Error: ?Sized;
    /// The error.
    fn hub_otel_error(&self) -> Option<&'a Self::Error>;
}

impl<'a, T, E> ErrorOf<'a> for &ValueOf<'a, Result<T, E>> {
    type Error = E;
    #[inline]
    fn hub_otel_error(&self) -> Option<&'a E> {
        self.0.as_ref().err()
    }
}

impl<'a, T: ?Sized> ErrorOf<'a> for ValueOf<'a, T> {
    type Error = Infallible;
    #[inline]
    fn hub_otel_error(&self) -> Option<&'a Infallible> {
        None
    }
}

/// `(&&ValueOf(value)).hub_otel_ok()` is what `ret(…)` reads: the Ok value of a Result, anything else itself.
pub trait OkOf<'a> {
    /// The value's type.
    type Value: ?Sized;
    /// The value.
    fn hub_otel_ok(&self) -> Option<&'a Self::Value>;
}

impl<'a, T, E> OkOf<'a> for &ValueOf<'a, Result<T, E>> {
    type Value = T;
    #[inline]
    fn hub_otel_ok(&self) -> Option<&'a T> {
        self.0.as_ref().ok()
    }
}

impl<'a, T: ?Sized> OkOf<'a> for ValueOf<'a, T> {
    type Value = T;
    #[inline]
    fn hub_otel_ok(&self) -> Option<&'a T> {
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::UnitStatus;

    struct Bare;
    #[derive(Debug)]
    struct OnlyDebug;
    struct Known;
    impl ErrorType for Known {
        fn error_type(&self) -> &'static str {
            "known"
        }
        fn timed_out(&self) -> bool {
            true
        }
    }

    macro_rules! close {
        ($value:expr) => {{
            let mut closing = Classification::new(true);
            (&&&&&&&ValueOf(&$value)).hub_otel_close(&mut closing);
            let failure = closing.ending.failure;
            (closing.ending.status, failure.map(|f| (f.error_type.into_owned(), f.message)))
        }};
    }

    fn said(error_type: &str, message: Option<&str>) -> Option<(String, Option<String>)> {
        Some((error_type.to_owned(), message.map(str::to_owned)))
    }

    #[test]
    fn a_value_is_a_failure_when_it_is_a_result_with_an_error() {
        assert_eq!(close!(7), (UnitStatus::Success, None));
        assert_eq!(close!(Ok::<_, Bare>(7)), (UnitStatus::Success, None));
        assert_eq!(close!(Err::<(), _>(Bare)), (UnitStatus::Failed, said("Bare", None)));
    }

    #[test]
    fn an_error_is_written_by_the_best_that_its_type_has() {
        let shown = "x".parse::<u8>().map_err(|error| error.to_string());
        assert_eq!(
            close!(shown),
            (UnitStatus::Failed, said("String", Some("invalid digit found in string")))
        );
        assert_eq!(
            close!(Err::<(), _>(OnlyDebug)),
            (UnitStatus::Failed, said("OnlyDebug", Some("OnlyDebug")))
        );
        assert_eq!(close!(Err::<(), _>(Known)), (UnitStatus::TimedOut, said("known", None)));
    }

    #[test]
    #[expect(clippy::needless_borrow, reason = "as the expansion writes it")]
    fn what_ret_reads_is_the_value_of_a_success() {
        assert_eq!((&&ValueOf(&Ok::<_, Bare>(7))).hub_otel_ok(), Some(&7));
        assert_eq!((&&ValueOf(&Err::<u8, _>(Bare))).hub_otel_ok(), None);
        assert_eq!((&&ValueOf(&7)).hub_otel_ok(), Some(&7));
        assert!((&&ValueOf(&Err::<u8, _>(Bare))).hub_otel_error().is_some());
        assert!((&&ValueOf(&7)).hub_otel_error().is_none());
    }
}
