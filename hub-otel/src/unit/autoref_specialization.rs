//! Classification of a returned value by its concrete type, in generated code.
//!
//! Generated code calls a method on `&&…ReturnedValue(&value)`. Method resolution removes one `&`
//! at a time, so the implementation with the most references that fits the type is chosen: an
//! error with Display is formatted with Display, one with only Debug with Debug, any other not at
//! all. Aliases, early returns and `?` make no difference, because the type decides and not the
//! source code. The technique is described in
//! <https://github.com/dtolnay/case-studies/blob/master/autoref-specialization/README.md>.
//!
//! The methods have unusual names because their traits are in scope of the user's expressions.

use crate::error_type::ErrorType;
use crate::unit::outcome::{Classification, DebugMessage, DisplayMessage, ErrorKind, NoMessage};
use std::convert::Infallible;
use std::fmt::{Debug, Display};

/// A returned value.
#[derive(Debug)]
pub struct ReturnedValue<'a, T: ?Sized>(pub &'a T);

/// Classifies a value: `(&&&&&&&ReturnedValue(value)).hub_otel_classify(outcome)`.
pub trait ClassifyReturned {
    /// Sets `outcome`.
    fn hub_otel_classify(&self, outcome: &mut Classification);
}

impl<T, E: ErrorType + Display> ClassifyReturned for &&&&&&ReturnedValue<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_classify(&self, outcome: &mut Classification) {
        if let Err(error) = self.0 {
            outcome.fail(ErrorKind::of_error(error), &DisplayMessage(error));
        }
    }
}

impl<T, E: ErrorType + Debug> ClassifyReturned for &&&&&ReturnedValue<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_classify(&self, outcome: &mut Classification) {
        if let Err(error) = self.0 {
            outcome.fail(ErrorKind::of_error(error), &DebugMessage(error));
        }
    }
}

impl<T, E: ErrorType> ClassifyReturned for &&&&ReturnedValue<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_classify(&self, outcome: &mut Classification) {
        if let Err(error) = self.0 {
            outcome.fail(ErrorKind::of_error(error), &NoMessage);
        }
    }
}

impl<T, E: Display> ClassifyReturned for &&&ReturnedValue<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_classify(&self, outcome: &mut Classification) {
        if let Err(error) = self.0 {
            outcome.fail(ErrorKind::of_type::<E>(), &DisplayMessage(error));
        }
    }
}

impl<T, E: Debug> ClassifyReturned for &&ReturnedValue<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_classify(&self, outcome: &mut Classification) {
        if let Err(error) = self.0 {
            outcome.fail(ErrorKind::of_type::<E>(), &DebugMessage(error));
        }
    }
}

impl<T, E> ClassifyReturned for &ReturnedValue<'_, Result<T, E>> {
    #[inline]
    fn hub_otel_classify(&self, outcome: &mut Classification) {
        if self.0.is_err() {
            outcome.fail(ErrorKind::of_type::<E>(), &NoMessage);
        }
    }
}

/// Any other value is a success.
impl<T: ?Sized> ClassifyReturned for ReturnedValue<'_, T> {
    #[inline]
    fn hub_otel_classify(&self, _: &mut Classification) {}
}

/// Error of a value, for `err(expected = …)`: `(&&ReturnedValue(value)).hub_otel_error()`.
pub trait ReturnedError<'a> {
    /// Type of the error.
    type Error: ?Sized;
    /// Returns the error, if the value is one.
    fn hub_otel_error(&self) -> Option<&'a Self::Error>;
}

impl<'a, T, E> ReturnedError<'a> for &ReturnedValue<'a, Result<T, E>> {
    type Error = E;
    #[inline]
    fn hub_otel_error(&self) -> Option<&'a E> {
        self.0.as_ref().err()
    }
}

impl<'a, T: ?Sized> ReturnedError<'a> for ReturnedValue<'a, T> {
    type Error = Infallible;
    #[inline]
    fn hub_otel_error(&self) -> Option<&'a Infallible> {
        None
    }
}

/// Value that `ret(…)` reads: `(&&ReturnedValue(value)).hub_otel_ok()`. The Ok value of a Result,
/// any other value itself.
pub trait ReturnedOk<'a> {
    /// Type of the value.
    type Value: ?Sized;
    /// Returns the value, unless it is an error.
    fn hub_otel_ok(&self) -> Option<&'a Self::Value>;
}

impl<'a, T, E> ReturnedOk<'a> for &ReturnedValue<'a, Result<T, E>> {
    type Value = T;
    #[inline]
    fn hub_otel_ok(&self) -> Option<&'a T> {
        self.0.as_ref().ok()
    }
}

impl<'a, T: ?Sized> ReturnedOk<'a> for ReturnedValue<'a, T> {
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
    use std::borrow::Cow;

    struct Bare;
    #[derive(Debug)]
    struct OnlyDebug;
    struct Known;
    impl ErrorType for Known {
        fn error_type(&self) -> Cow<'static, str> {
            "known".into()
        }
        fn timed_out(&self) -> bool {
            true
        }
    }

    macro_rules! classify {
        ($value:expr) => {{
            let mut outcome = Classification::new(true);
            (&&&&&&&ReturnedValue(&$value)).hub_otel_classify(&mut outcome);
            let ending = outcome.into_ending();
            let failure = ending.failure;
            (ending.status, failure.map(|f| (f.error_type.into_owned(), f.message)))
        }};
    }

    fn failure(error_type: &str, message: Option<&str>) -> Option<(String, Option<String>)> {
        Some((error_type.to_owned(), message.map(str::to_owned)))
    }

    #[test]
    fn only_a_result_with_an_error_is_a_failure() {
        assert_eq!(classify!(7), (UnitStatus::Success, None));
        assert_eq!(classify!(Ok::<_, Bare>(7)), (UnitStatus::Success, None));
        assert_eq!(classify!(Err::<(), _>(Bare)), (UnitStatus::Failed, failure("Bare", None)));
    }

    #[test]
    fn an_error_is_formatted_with_the_best_trait_of_its_type() {
        let shown = "x".parse::<u8>().map_err(|error| error.to_string());
        assert_eq!(
            classify!(shown),
            (UnitStatus::Failed, failure("String", Some("invalid digit found in string")))
        );
        assert_eq!(
            classify!(Err::<(), _>(OnlyDebug)),
            (UnitStatus::Failed, failure("OnlyDebug", Some("OnlyDebug")))
        );
        assert_eq!(classify!(Err::<(), _>(Known)), (UnitStatus::TimedOut, failure("known", None)));
    }

    #[test]
    #[expect(clippy::needless_borrow, reason = "as the expansion writes it")]
    fn ret_reads_the_value_of_a_success() {
        assert_eq!((&&ReturnedValue(&Ok::<_, Bare>(7))).hub_otel_ok(), Some(&7));
        assert_eq!((&&ReturnedValue(&Err::<u8, _>(Bare))).hub_otel_ok(), None);
        assert_eq!((&&ReturnedValue(&7)).hub_otel_ok(), Some(&7));
        assert!((&&ReturnedValue(&Err::<u8, _>(Bare))).hub_otel_error().is_some());
        assert!((&&ReturnedValue(&7)).hub_otel_error().is_none());
    }
}
