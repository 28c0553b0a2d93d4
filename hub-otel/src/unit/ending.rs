//! Result of a unit, as its wrapper saw it.

use crate::metrics::LabelSet;
use crate::semconv::status;
use crate::status::UnitStatus;
use crate::unit::state::{LateState, ParentWorkflow};
use opentelemetry::KeyValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

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
    pub(crate) fn panicked() -> Self {
        let failure = Failure {
            error_type: Cow::Borrowed(status::ERROR_TYPE_PANIC),
            exception_type: status::ERROR_TYPE_PANIC,
            message: Some("the function panicked".to_owned()),
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
            self.fail(UnitStatus::TimedOut, Cow::Borrowed(status::ERROR_TYPE_TIMEOUT));
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
