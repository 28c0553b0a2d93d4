//! Outcome of a unit: classification of the returned value, panic, cancellation, late state.

use crate::contain::contain;
use crate::error_type::{ErrorType, known, naming};
use crate::metrics::LabelSet;
use crate::semconv::{error_type as error_types, kv};
use crate::status::UnitStatus;
use crate::unit::attribute_value::Fields;
use crate::unit::error_message::ErrorMessage;
use crate::unit::state::{LateState, ParentWorkflow};
use opentelemetry::KeyValue;
use std::borrow::Cow;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

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

/// Result of a unit.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) status: UnitStatus,
    pub(crate) failure: Option<Failure>,
    /// The error was declared expected: not a failure.
    pub(crate) expected: bool,
    /// The body ran to completion, so late state applies.
    pub(crate) returned: bool,
    /// Attributes of `ret(…)`.
    pub(crate) attributes: Vec<KeyValue>,
}

/// Error of a failed unit.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Stable identifier, the value of `error.type`.
    pub(crate) error_type: Cow<'static, str>,
    /// Name of the Rust type. Empty if no Rust type was involved.
    pub(crate) exception_type: &'static str,
    pub(crate) message: Option<String>,
}

/// Final state of a unit, after late state was applied.
pub(super) struct Finished {
    pub(super) label_set: Arc<LabelSet>,
    pub(super) ending: Ending,
    /// Reason of a suspension.
    pub(super) suspended: Option<Cow<'static, str>>,
    /// Workflow of the unit, for the log record.
    pub(super) workflow: Option<ParentWorkflow>,
    pub(super) retries: i64,
    pub(super) waited: Duration,
}

impl Ending {
    pub(crate) fn new(status: UnitStatus) -> Self {
        Self { status, failure: None, expected: false, returned: true, attributes: Vec::new() }
    }

    /// The future was dropped before completion.
    pub(crate) fn cancelled() -> Self {
        Self { returned: false, ..Self::new(UnitStatus::Cancelled) }
    }

    /// The body panicked.
    pub(crate) fn panicked(message: String) -> Self {
        let failure = Failure {
            error_type: Cow::Borrowed(error_types::PANIC),
            exception_type: error_types::PANIC,
            message: Some(message),
        };
        Self { returned: false, failure: Some(failure), ..Self::new(UnitStatus::Failed) }
    }

    /// Applies late state, which takes precedence over the returned value. Returns the reason if
    /// the unit was suspended.
    pub(super) fn apply_late(&mut self, late: &LateState) -> Option<Cow<'static, str>> {
        if !self.returned {
            return None;
        }
        if late.timed_out {
            self.fail(UnitStatus::TimedOut, Cow::Borrowed(error_types::TIMEOUT));
        } else if let Some(error_type) = &late.failed {
            self.fail(UnitStatus::Failed, error_type.clone());
        } else if let Some(reason) = &late.suspended {
            self.failure = None;
            return Some(reason.clone());
        }
        None
    }

    fn fail(&mut self, status: UnitStatus, error_type: Cow<'static, str>) {
        self.status = status;
        self.expected = false;
        match &mut self.failure {
            Some(failure) => failure.error_type = error_type,
            none => *none = Some(Failure { exception_type: "", message: None, error_type }),
        }
    }
}
