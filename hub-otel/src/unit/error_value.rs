//! Identifier and message of an error by its concrete type, in generated code.
//!
//! Generated code calls methods on `&&…ErrorValue(error)`. Method resolution removes one `&` at a
//! time, so the implementation with the most references that fits the type is chosen (see
//! [`autoref_specialization`](crate::unit::autoref_specialization)). It ignores lifetimes: an error
//! that contains a borrow is wrapped into [`BorrowedError`], which needs no `'static`.

use crate::error_type::ErrorType;
use crate::unit::error_message::ErrorMessage;
use crate::unit::outcome::ErrorKind;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::ops::Deref;

/// An error.
#[derive(Debug)]
pub struct ErrorValue<'a, E: ?Sized>(pub &'a E);

/// An error whose type contains a lifetime.
#[derive(Debug)]
pub struct BorrowedError<'a, E: ?Sized>(pub &'a E);

/// Target of a pointer to an error whose type was erased: `Box<dyn Error>`, `anyhow::Error`.
pub trait Erased {
    /// Returns the error.
    fn as_error(&self) -> &(dyn Error + 'static);
}

/// The same for an error that contains a borrow.
pub trait ErasedIn<'b> {
    /// Returns the error.
    fn as_error_in(&self) -> &(dyn Error + 'b);
}

macro_rules! erased {
    ($($($auto:ident)*;)*) => {$(
        impl Erased for dyn Error $(+ $auto)* {
            fn as_error(&self) -> &(dyn Error + 'static) {
                self
            }
        }
        impl<'b> ErasedIn<'b> for dyn Error $(+ $auto)* + 'b {
            fn as_error_in(&self) -> &(dyn Error + 'b) {
                self
            }
        }
    )*};
}

erased! { ; Send; Send Sync; }

/// Identifies an error: `(&&&ErrorValue(error)).hub_otel_kind()`.
pub trait ErrorKindVia {
    /// Returns identifier and type.
    fn hub_otel_kind(&self) -> ErrorKind;
}

impl<E: ErrorType> ErrorKindVia for &&ErrorValue<'_, E> {
    #[inline]
    fn hub_otel_kind(&self) -> ErrorKind {
        ErrorKind::of_error(self.0)
    }
}

/// Types that hide the error without [`ErrorType`]: those of anyhow and eyre.
impl<E: Deref<Target: Erased>> ErrorKindVia for &ErrorValue<'_, E> {
    #[inline]
    fn hub_otel_kind(&self) -> ErrorKind {
        ErrorKind::of_erased::<E>(self.0.deref().as_error())
    }
}

impl<E> ErrorKindVia for ErrorValue<'_, E> {
    #[inline]
    fn hub_otel_kind(&self) -> ErrorKind {
        ErrorKind::of_type::<E>()
    }
}

/// A borrowed error cannot be downcast.
impl<'b, E: Deref<Target: ErasedIn<'b>>> ErrorKindVia for &&BorrowedError<'_, E> {
    #[inline]
    fn hub_otel_kind(&self) -> ErrorKind {
        ErrorKind::of_type::<E>()
    }
}

impl<E: ErrorType> ErrorKindVia for &BorrowedError<'_, E> {
    #[inline]
    fn hub_otel_kind(&self) -> ErrorKind {
        ErrorKind::of_error(self.0)
    }
}

impl<E> ErrorKindVia for BorrowedError<'_, E> {
    #[inline]
    fn hub_otel_kind(&self) -> ErrorKind {
        ErrorKind::of_type::<E>()
    }
}

/// Finds the text of an error: `(&&&&&ErrorValue(error)).hub_otel_message()`.
pub trait ErrorMessageVia<'a> {
    /// Returns the message, which is formatted later.
    fn hub_otel_message(&self) -> ErrorMessage<'a>;
}

macro_rules! messages {
    ($wrapper:ident, $($erased:tt)*) => {
        impl<'a, E: Error> ErrorMessageVia<'a> for &&&&$wrapper<'a, E> {
            #[inline]
            fn hub_otel_message(&self) -> ErrorMessage<'a> {
                ErrorMessage::Error(self.0)
            }
        }

        $($erased)*

        impl<'a, E: Display> ErrorMessageVia<'a> for &&$wrapper<'a, E> {
            #[inline]
            fn hub_otel_message(&self) -> ErrorMessage<'a> {
                ErrorMessage::Display(self.0, None)
            }
        }

        impl<'a, E: Debug> ErrorMessageVia<'a> for &$wrapper<'a, E> {
            #[inline]
            fn hub_otel_message(&self) -> ErrorMessage<'a> {
                ErrorMessage::Debug(self.0)
            }
        }

        impl<'a, E> ErrorMessageVia<'a> for $wrapper<'a, E> {
            #[inline]
            fn hub_otel_message(&self) -> ErrorMessage<'a> {
                ErrorMessage::None
            }
        }
    };
}

messages! { ErrorValue,
    impl<'a, E: Deref<Target: Erased>> ErrorMessageVia<'a> for &&&ErrorValue<'a, E> {
        #[inline]
        fn hub_otel_message(&self) -> ErrorMessage<'a> {
            ErrorMessage::Error(self.0.deref().as_error())
        }
    }
}

messages! { BorrowedError,
    impl<'a, 'b: 'a, E> ErrorMessageVia<'a> for &&&BorrowedError<'a, E>
    where
        E: Deref<Target: ErasedIn<'b>>,
    {
        #[inline]
        fn hub_otel_message(&self) -> ErrorMessage<'a> {
            ErrorMessage::Error(self.0.deref().as_error_in())
        }
    }
}

/// Cause of an error, for the derive of `ErrorType`: `(&&ErrorValue(error)).hub_otel_source()`.
pub trait ErrorSourceVia<'a> {
    /// Returns the cause. `None` for a type that does not implement `Error`.
    fn hub_otel_source(&self) -> Option<&'a (dyn Error + 'static)>;
}

impl<'a, E: Error> ErrorSourceVia<'a> for &ErrorValue<'a, E> {
    #[inline]
    fn hub_otel_source(&self) -> Option<&'a (dyn Error + 'static)> {
        self.0.source()
    }
}

impl<'a, E: ?Sized> ErrorSourceVia<'a> for ErrorValue<'a, E> {
    #[inline]
    fn hub_otel_source(&self) -> Option<&'a (dyn Error + 'static)> {
        None
    }
}
