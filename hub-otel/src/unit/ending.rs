//! Result of a unit, as its end records it.

use crate::options::Exceptions;
use crate::semconv::error_type as error_types;
use crate::status::UnitStatus;
use opentelemetry::KeyValue;
use std::borrow::Cow;
use std::time::Duration;

/// Result of a unit.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Stable identifier, the value of `error.type`.
    pub(crate) error_type: Cow<'static, str>,
    /// Name of the Rust type. Empty if no Rust type was involved.
    pub(crate) exception_type: &'static str,
    pub(crate) message: Option<String>,
}

/// End of a unit, as its span keeps it.
#[derive(Debug, Clone)]
pub(crate) struct SpanEnd {
    pub(crate) elapsed: Duration,
    pub(crate) ending: Ending,
    /// Reason of a suspension.
    pub(crate) suspended: Option<Cow<'static, str>>,
    pub(crate) retries: i64,
    /// A success sets the span status.
    pub(crate) ok_status: bool,
    pub(crate) exceptions: Exceptions,
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

    /// Makes the unit a failure, whatever it returned.
    pub(super) fn fail(&mut self, status: UnitStatus, error_type: Cow<'static, str>) {
        self.status = status;
        self.expected = false;
        match &mut self.failure {
            Some(failure) => failure.error_type = error_type,
            none => *none = Some(Failure { exception_type: "", message: None, error_type }),
        }
    }
}

impl Failure {
    pub(crate) fn error_type(&self) -> &str {
        &self.error_type
    }

    /// Returns the message; without one, the stable identifier.
    pub(crate) fn description(&self) -> &str {
        self.message.as_deref().unwrap_or(&self.error_type)
    }
}
