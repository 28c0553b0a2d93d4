//! Error and value of a returned value by its concrete type, in generated code.
//!
//! Generated code calls a method on `&&…ReturnedValue(&value)`. Method resolution removes one `&`
//! at a time, so the implementation with the most references that fits the type is chosen. Aliases,
//! early returns and `?` make no difference, because the type decides and not the source code. The
//! technique is described in
//! <https://github.com/dtolnay/case-studies/blob/master/autoref-specialization/README.md>.
//!
//! The methods have unusual names because their traits are in scope of the user's expressions.

use futures_core::Stream;
use std::convert::Infallible;
use std::future::Future;

/// A returned value.
#[derive(Debug)]
pub struct ReturnedValue<'a, T: ?Sized>(pub &'a T);

/// Error of a value: `(&&ReturnedValue(value)).hub_otel_error()`. Only a `Result` has one.
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

/// Result of [`ReturnedWork`] for a value whose work is done when it is returned.
#[derive(Debug)]
pub struct Done;

/// Result of [`ReturnedWork`] for a future.
#[derive(Debug)]
pub struct InFuture;

/// Result of [`ReturnedWork`] for a stream, or a `Result` of a stream.
#[derive(Debug)]
pub struct InStream;

/// Rejects a value that does its work later: `(&&&&ReturnedValue(value)).hub_otel_work()`.
pub trait ReturnedWork {
    /// `Done`, `InFuture` or `InStream`.
    type Work;
    /// Returns the marker.
    fn hub_otel_work(&self) -> Self::Work;
}

macro_rules! works {
    ($([$($generics:tt)*] $value:ty => $work:ident,)*) => {$(
        impl<$($generics)*> ReturnedWork for $value {
            type Work = $work;
            #[inline]
            fn hub_otel_work(&self) -> $work {
                $work
            }
        }
    )*};
}

works! {
    [T: Stream] &&&ReturnedValue<'_, T> => InStream,
    [T: Future] &&ReturnedValue<'_, T> => InFuture,
    [T: Stream, E] &ReturnedValue<'_, Result<T, E>> => InStream,
    [T] ReturnedValue<'_, T> => Done,
}

/// A value with which the unit of a synchronous function may end.
#[diagnostic::on_unimplemented(
    message = "this function returns a future or a stream that its signature hides: the unit would end before it",
    label = "its work is done after the return",
    note = "return `impl Future<Output = …>` or `impl Stream<Item = …>`, or a `Pin<Box<dyn …>>` of one; \
            if an alias hides the `Pin<Box<dyn …>>`, add the argument `future` or `stream`",
    note = "if the unit has to end at the return, classify the value with `status = path`"
)]
pub trait EndsCall {}

/// A value with which the unit of a future may end: also a future, which the caller continues.
#[diagnostic::on_unimplemented(
    message = "this function returns a stream that its signature hides: the unit would end before it",
    label = "its work is done after the return",
    note = "return `impl Stream<Item = …>` or `Pin<Box<dyn Stream<Item = …>>>`; if an alias hides the \
            `Pin<Box<dyn …>>`, add the argument `stream`",
    note = "if the unit has to end at the return, classify the value with `status = path`"
)]
pub trait EndsFuture {}

#[diagnostic::do_not_recommend]
impl EndsCall for Done {}
#[diagnostic::do_not_recommend]
impl EndsFuture for Done {}
#[diagnostic::do_not_recommend]
impl EndsFuture for InFuture {}

/// Requires that the unit of a synchronous function may end with the value.
#[inline]
pub fn ends_call(_: impl EndsCall) {}

/// Requires that the unit of a future may end with the value.
#[inline]
pub fn ends_future(_: impl EndsFuture) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error_type::ErrorType;
    use crate::status::UnitStatus;
    use crate::unit::error_value::{
        BorrowedError, ErrorKindVia as _, ErrorMessageVia as _, ErrorValue,
    };
    use crate::unit::outcome::Classification;
    use std::borrow::Cow;
    use std::error::Error;

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
        ($wrapper:ident, $value:expr) => {{
            let (value, mut outcome) = ($value, Classification::new(true));
            if let Some(error) = (&&ReturnedValue(&value)).hub_otel_error() {
                let kind = (&&&$wrapper(error)).hub_otel_kind();
                outcome.fail(kind, (&&&&&$wrapper(error)).hub_otel_message());
            }
            let ending = outcome.into_ending();
            let failure = ending.failure;
            (ending.status, failure.map(|f| (f.error_type.into_owned(), f.message)))
        }};
        ($value:expr) => {
            classify!(ErrorValue, $value)
        };
    }

    fn failure(error_type: &str, message: Option<&str>) -> Option<(String, Option<String>)> {
        Some((error_type.to_owned(), message.map(str::to_owned)))
    }

    #[test]
    fn only_a_result_with_an_error_is_a_failure() {
        assert_eq!(classify!(7), (UnitStatus::Success, None));
        assert_eq!(classify!(Ok::<_, Bare>(7)), (UnitStatus::Success, None));
        let bare = failure("hub_otel_bare", None);
        assert_eq!(classify!(Err::<(), _>(Bare)), (UnitStatus::Failed, bare));
    }

    #[test]
    fn an_error_is_formatted_with_the_best_trait_of_its_type() {
        let shown = "x".parse::<u8>().map_err(|error| error.to_string());
        let digit = Some("invalid digit found in string");
        assert_eq!(classify!(shown), (UnitStatus::Failed, failure("String", digit)));
        assert_eq!(
            classify!(Err::<(), _>(OnlyDebug)),
            (UnitStatus::Failed, failure("hub_otel_only_debug", Some("OnlyDebug")))
        );
        assert_eq!(classify!(Err::<(), _>(Known)), (UnitStatus::TimedOut, failure("known", None)));
        let erased: Box<dyn Error + Send + Sync> = "x".parse::<u8>().unwrap_err().into();
        assert_eq!(
            classify!(Err::<(), _>(erased)),
            (UnitStatus::Failed, failure("parse_int_error", digit))
        );
    }

    #[test]
    fn an_error_that_contains_a_borrow_is_classified() {
        #[derive(Debug)]
        struct At<'t>(&'t str);
        impl std::fmt::Display for At<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        impl Error for At<'_> {}
        let text = "at 7".to_owned();
        let boxed: Box<dyn Error + '_> = Box::new(At(&text));
        assert_eq!(
            classify!(BorrowedError, Err::<(), _>(&*boxed)),
            (UnitStatus::Failed, failure("_OTHER", Some("at 7")))
        );
        assert_eq!(
            classify!(BorrowedError, Err::<(), _>(boxed)),
            (UnitStatus::Failed, failure("_OTHER", Some("at 7")))
        );
        assert_eq!(
            classify!(BorrowedError, Err::<(), _>(At(&text))),
            (UnitStatus::Failed, failure("hub_otel_at", Some("at 7")))
        );
        let known = (UnitStatus::TimedOut, failure("known", None));
        assert_eq!(classify!(BorrowedError, Err::<(), _>(Known)), known);
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
