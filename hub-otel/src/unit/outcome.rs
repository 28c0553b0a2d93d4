//! Outcome of a unit: classification of the returned value, panic, cancellation, late state.

use crate::contain::contain;
use crate::error_type::{ErrorType, known, naming};
use crate::semconv::{error_type as error_types, kv};
use crate::status::UnitStatus;
use crate::unit::attribute_value::Fields;
use crate::unit::ending::{Ending, Failure};
use crate::unit::error_message::ErrorMessage;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::{Debug, Display};

/// Outcome of a unit whose body has returned. Starts as a success.
///
/// The closure of [`Unit::run_with`](crate::Unit::run_with) receives it and sets what the returned
/// value means.
///
/// ```
/// # async fn probe() -> Option<u64> { Some(1) }
/// # async fn example() {
/// use hub_otel::UnitStatus;
///
/// hub_otel::agent("prober", "probe")
///     .run_with(probe(), |found, outcome| {
///         if found.is_none() {
///             outcome.status(UnitStatus::Failed);
///         }
///     })
///     .await;
/// # }
/// ```
pub struct Classification {
    ending: Ending,
    /// The unit has a span: messages and attributes are worth formatting.
    sampled: bool,
}

impl Classification {
    pub(super) fn new(sampled: bool) -> Self {
        Self { ending: Ending::new(UnitStatus::Success), sampled }
    }

    pub(super) fn into_ending(self) -> Ending {
        self.ending
    }

    /// Classifies a `Result` whose error does not implement [`ErrorType`].
    ///
    /// `error.type` is made of the crate and the name of the error's type; `_OTHER` for types that
    /// hide the error (`anyhow::Error`, `Box<dyn Error>`).
    ///
    /// ```
    /// # use std::fmt::Error as Foreign;
    /// # async fn render() -> Result<String, Foreign> { Ok(String::new()) }
    /// # async fn example() -> Result<String, Foreign> {
    /// hub_otel::workflow("report")
    ///     .run_with(render(), |result, outcome| outcome.by_error_type(result))
    ///     .await
    /// # }
    /// ```
    pub fn by_error_type<T, E: Display>(&mut self, result: &Result<T, E>) {
        if let Err(error) = result {
            let kind = ErrorKind::of_type::<E>();
            let message = match kind.type_name {
                "anyhow::Error" | "eyre::Report" => ErrorMessage::Alternate(error),
                _ => ErrorMessage::Display(error, None),
            };
            self.fail(kind, message);
        }
    }

    /// Sets the failure that a returned error is.
    #[doc(hidden)]
    #[inline(never)]
    #[expect(clippy::needless_pass_by_value, reason = "generated code hands over a temporary")]
    pub fn fail(&mut self, kind: ErrorKind, message: ErrorMessage<'_>) {
        self.ending.status = if kind.timed_out { UnitStatus::TimedOut } else { UnitStatus::Failed };
        self.ending.failure = Some(Failure {
            error_type: kind.error_type,
            exception_type: kind.type_name,
            message: if self.sampled { message.format() } else { None },
        });
    }

    /// Sets a failure that has a type and no text.
    #[cfg(feature = "openai")]
    pub(crate) fn fail_as(&mut self, error_type: Cow<'static, str>) {
        let timed_out = error_type == error_types::TIMEOUT;
        self.fail(ErrorKind { error_type, type_name: "", timed_out }, ErrorMessage::None);
    }

    /// Marks the error as expected (`err(expected = …)`): status SUCCESS, span status unset.
    pub fn expected(&mut self) {
        self.ending.status = UnitStatus::Success;
        self.ending.failure = None;
        self.ending.expected = true;
    }

    /// Marks a returned `None` as a failure (`none = error`).
    pub fn none(&mut self) {
        self.ending.status = UnitStatus::Failed;
        self.ending.failure = Some(Failure {
            error_type: Cow::Borrowed(error_types::NONE),
            exception_type: "core::option::Option::None",
            message: Some("the function returned None".to_owned()),
        });
    }

    /// Sets the status, in place of the one that the value's type implies.
    pub fn status(&mut self, status: UnitStatus) {
        self.ending.status = status;
        if !status.is_failure() {
            self.ending.failure = None;
        }
    }

    /// `ret(…)`: sets attributes from the value. `fields` is called if the unit is sampled.
    #[doc(hidden)]
    pub fn ret(&mut self, fields: impl FnOnce(&mut Fields<'_>)) {
        if self.sampled {
            let attributes = &mut self.ending.attributes;
            contain(|| {
                fields(&mut Fields { set: &mut |key, value| attributes.push(kv(key, value)) });
            });
        }
    }
}

impl Debug for Classification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classification").finish_non_exhaustive()
    }
}

/// Identification of an error.
#[derive(Debug)]
pub struct ErrorKind {
    error_type: Cow<'static, str>,
    type_name: &'static str,
    timed_out: bool,
}

impl ErrorKind {
    /// For an error that implements [`ErrorType`].
    pub(super) fn of_error<E: ErrorType>(error: &E) -> Self {
        let other = || Cow::Borrowed(error_types::OTHER);
        Self {
            error_type: contain(|| error.error_type()).unwrap_or_else(other),
            type_name: std::any::type_name::<E>(),
            timed_out: contain(|| error.timed_out()).unwrap_or(false),
        }
    }

    /// For an error whose type `E` hides it.
    pub(super) fn of_erased<E>(error: &(dyn Error + 'static)) -> Self {
        match contain(|| known::identify(error)).flatten() {
            Some(known) => Self {
                error_type: known.error_type,
                type_name: std::any::type_name::<E>(),
                timed_out: known.timed_out,
            },
            None => Self::of_type::<E>(),
        }
    }

    /// For any other error.
    pub(super) fn of_type<E: ?Sized>() -> Self {
        let type_name = std::any::type_name::<E>();
        Self { error_type: naming::of_type_name(type_name), type_name, timed_out: false }
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A value whose outcome its type defines: `()`, [`UnitStatus`], or a `Result` with an error that
/// implements [`ErrorType`] and Display.
///
/// Required by [`Unit::run`](crate::Unit::run) and [`Unit::call`](crate::Unit::call). The macros
/// see concrete types and also accept other errors; a generic function could not distinguish a
/// timeout from a failure there. Sealed: other crates cannot implement it.
///
/// ```
/// use hub_otel::UnitStatus;
///
/// let found = hub_otel::agent("prober", "probe").call(|| Ok::<_, std::io::Error>(7)).unwrap();
/// assert_eq!(found, 7);
/// hub_otel::agent("prober", "probe").call(|| UnitStatus::Failed);
/// ```
#[diagnostic::on_unimplemented(
    message = "hub-otel cannot classify a `{Self}` as success or failure",
    note = "return `()`, a `UnitStatus` or a `Result` whose error has Display and is an `ErrorType`, \
            or use `run_with` and set the outcome there"
)]
pub trait Classify: sealed::Sealed {
    /// Sets the outcome.
    #[doc(hidden)]
    fn classify(&self, outcome: &mut Classification);
}

impl<T, E> sealed::Sealed for Result<T, E> {}
impl<T, E: ErrorType + Display> Classify for Result<T, E> {
    fn classify(&self, outcome: &mut Classification) {
        if let Err(error) = self {
            let source = contain(|| error.error_source()).flatten();
            outcome.fail(ErrorKind::of_error(error), ErrorMessage::Display(error, source));
        }
    }
}

impl sealed::Sealed for () {}
impl Classify for () {
    fn classify(&self, _: &mut Classification) {}
}

impl sealed::Sealed for UnitStatus {}
impl Classify for UnitStatus {
    fn classify(&self, outcome: &mut Classification) {
        outcome.status(*self);
    }
}
