//! What a returned value says: decided by its type, so that aliases, early returns and `?` are all seen.

use crate::error_type;
use crate::error_type::ErrorType;
use crate::semconv::kv;
use crate::status::UnitStatus;
use crate::unit::attribute_value::Fields;
use crate::unit::finish::{Ending, Failure};
use crate::unit::stack as frame;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Debug;
use std::fmt::Display;

/// A unit whose body has returned: what is given to the judge of `run_with`, which looks at the value and says what it
/// means. Said nothing, it was a success.
pub struct Classification {
    pub(crate) ending: Ending,
    /// Asked where there is something to write: a success has nothing.
    records: fn() -> bool,
}

impl Classification {
    /// For a unit that records, or one that does not.
    #[cfg(test)]
    pub(crate) fn new(records: bool) -> Self {
        Self {
            ending: Ending::new(UnitStatus::Success),
            records: if records { || true } else { || false },
        }
    }

    /// For the innermost unit of this thread.
    #[inline]
    pub(crate) fn of_running() -> Self {
        Self { ending: Ending::new(UnitStatus::Success), records: frame::records }
    }

    /// What a `Result` says whose error is not an [`ErrorType`]: a failure is named by the last segment of the type's
    /// path, `_OTHER` where that says nothing (`anyhow::Error`, `Box<dyn Error>`).
    ///
    /// ```
    /// # use std::fmt::Error as Foreign;
    /// # async fn render() -> Result<String, Foreign> { Ok(String::new()) }
    /// # async fn example() -> Result<String, Foreign> {
    /// hub_otel::workflow("report").run_with(render(), |result, unit| unit.by_error_type(result)).await
    /// # }
    /// ```
    pub fn by_error_type<T, E: Display>(&mut self, result: &Result<T, E>) {
        if let Err(error) = result {
            self.fail(of_type::<E>(), &Displayed(error));
        }
    }

    /// The value is an error.
    #[doc(hidden)]
    #[inline]
    pub fn error(&mut self, kind: ErrorKind, message: &dyn Message) {
        self.fail(kind, message);
    }

    #[inline(never)]
    fn fail(&mut self, kind: ErrorKind, message: &dyn Message) {
        self.ending.status = if kind.timed_out { UnitStatus::TimedOut } else { UnitStatus::Failed };
        self.ending.failure = Some(Failure {
            error_type: Cow::Borrowed(kind.error_type),
            exception_type: kind.type_name,
            message: if (self.records)() { message.write() } else { None },
        });
    }

    /// The value is an error that was declared expected (`err(expected = …)`): SUCCESS, span status unset.
    pub fn expected(&mut self) {
        self.ending.expected = true;
    }

    /// The value is `None`, and the function says that this is a failure (`none = error`).
    #[inline(never)]
    pub fn none(&mut self) {
        self.ending.status = UnitStatus::Failed;
        self.ending.failure = Some(Failure {
            error_type: Cow::Borrowed("none"),
            exception_type: "core::option::Option::None",
            message: Some("the function returned None".to_owned()),
        });
    }

    /// The unit ends so, whatever the value's type says.
    #[inline(never)]
    pub fn status(&mut self, status: UnitStatus) {
        self.ending.status = status;
        if !status.is_failure() {
            self.ending.failure = None;
        }
    }

    /// `ret(…)`: attributes from the value; called when the unit records.
    #[doc(hidden)]
    pub fn ret(&mut self, fields: impl FnOnce(&mut Fields<'_>)) {
        if (self.records)() {
            let attributes = &mut self.ending.attributes;
            fields(&mut Fields { set: &mut |key, value| attributes.push(kv(key, value)) });
        }
    }
}

impl Debug for Classification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classification").finish_non_exhaustive()
    }
}

/// Which error it is.
#[derive(Debug, Clone, Copy)]
pub struct ErrorKind {
    pub(crate) error_type: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) timed_out: bool,
}

/// The kind of an error that knows its own.
pub(crate) fn known<E: ErrorType>(error: &E) -> ErrorKind {
    ErrorKind {
        error_type: error.error_type(),
        type_name: std::any::type_name::<E>(),
        timed_out: error.timed_out(),
    }
}

/// The kind of an error that is known by its type alone.
pub(crate) fn of_type<E: ?Sized>() -> ErrorKind {
    of_type_name(std::any::type_name::<E>())
}

fn of_type_name(type_name: &'static str) -> ErrorKind {
    thread_local! {
        // Errors come in rows of the same type, and reading its name takes as long as everything else that is told of it.
        static LAST: Cell<(&'static str, &'static str)> = const { Cell::new(("", "")) };
    }
    let (last, known) = LAST.get();
    let error_type = if std::ptr::eq(last, type_name) {
        known
    } else {
        let error_type = error_type::of_type_name(type_name);
        LAST.set((type_name, error_type));
        error_type
    };
    ErrorKind { error_type, type_name, timed_out: false }
}

/// Something that can say what went wrong.
pub trait Message {
    /// The text.
    fn write(&self) -> Option<String>;
}

/// Written by Display.
#[derive(Debug)]
pub(crate) struct Displayed<'a, E: ?Sized>(pub &'a E);
/// Written by Debug.
#[derive(Debug)]
pub(crate) struct Debugged<'a, E: ?Sized>(pub &'a E);
/// Not written.
#[derive(Debug)]
pub(crate) struct Silent;

impl<E: Display + ?Sized> Message for Displayed<'_, E> {
    fn write(&self) -> Option<String> {
        Some(written(format_args!("{}", self.0)))
    }
}

impl<E: Debug + ?Sized> Message for Debugged<'_, E> {
    fn write(&self) -> Option<String> {
        Some(written(format_args!("{:?}", self.0)))
    }
}

impl Message for Silent {
    fn write(&self) -> Option<String> {
        None
    }
}

/// One allocation where a growing string would take several.
fn written(message: std::fmt::Arguments<'_>) -> String {
    let mut text = String::with_capacity(message.as_str().map_or(64, str::len));
    // A Display that fails has written what it could.
    let _ = std::fmt::write(&mut text, message);
    text
}

/// What the builder's units may return: their meaning is known without a macro's help.
///
/// An error has to be an [`ErrorType`] here. The macros see the concrete type and find out whether it is one; a generic
/// function cannot, and would call a deadline a failure.
#[diagnostic::on_unimplemented(
    message = "hub-otel cannot tell whether a `{Self}` is a success",
    note = "return `()`, a `UnitStatus` or a `Result` whose error has Display and is an `ErrorType`, \
            or use `run_with` and say what the value means"
)]
pub trait Outcome {
    /// Says what the value means.
    fn close(&self, closing: &mut Classification);
}

impl<T, E: ErrorType + Display> Outcome for Result<T, E> {
    fn close(&self, closing: &mut Classification) {
        if let Err(error) = self {
            closing.fail(known(error), &Displayed(error));
        }
    }
}

impl Outcome for () {
    fn close(&self, _: &mut Classification) {}
}

impl Outcome for UnitStatus {
    fn close(&self, closing: &mut Classification) {
        closing.status(*self);
    }
}
