//! State of a unit in progress.
//!
//! An [`ActiveUnit`] is a value of the unit's OpenTelemetry context, so every task that runs under
//! the context finds it. Handles ([`Current`](crate::Current)) and the wrapper future share it.

use crate::instance::Instance;
use crate::metrics::LabelSet;
use crate::sync::MutexGuard;
use crate::unit::ambient::AmbientSpan;
use crate::unit::identity::new_run_id;
use crate::unit::open_units::{AtomicSlot, OpenUnit};
use crate::unit::sealable::{Sealable, Sealed};
use crate::unit::span::RecordedSpan;
use crate::unit_kind::UnitKind;
use opentelemetry::StringValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A unit in progress.
pub(crate) struct ActiveUnit {
    pub(crate) instance: Arc<Instance>,
    pub(crate) kind: UnitKind,
    pub(crate) started: Instant,
    /// Time executed by the earlier segments of the run.
    pub(crate) executed_before: Duration,
    /// Span of a sampled unit. `None` if the unit only records metrics.
    pub(crate) span: Option<RecordedSpan>,
    late: Sealable<LateState>,
    /// Position among the open units of the instance. `None` beyond their limit.
    slot: AtomicSlot,
    /// Closed at the end: the subscriber's data of the span refers to the unit.
    pub(crate) ambient: AmbientSpan,
    /// Set when metrics and span of the end are recorded: the shutdown waits for that.
    is_recorded: AtomicBool,
}

impl Drop for ActiveUnit {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.get() {
            self.instance.open_units.remove(slot);
        }
    }
}

/// Identity of the workflow that an agent runs in.
///
/// Also a context value of its own: the run that a remote caller handed over.
#[derive(Debug, Clone)]
pub(crate) struct ParentWorkflow {
    pub(crate) id: StringValue,
    /// `None` if a remote caller sent only the id.
    pub(crate) run_id: Option<StringValue>,
}

/// The part of a unit's state that changes while it runs.
pub(crate) struct LateState {
    pub(crate) label_set: Arc<LabelSet>,
    pub(crate) name: Option<StringValue>,
    /// For a workflow: its own identity. For an agent: the workflow around it.
    pub(crate) workflow: Option<ParentWorkflow>,
    pub(crate) retries: i64,
    pub(crate) failed: Option<Cow<'static, str>>,
    pub(crate) timed_out: bool,
    pub(crate) suspended: Option<Cow<'static, str>>,
    /// Time spent in [`approval::wait`](crate::approval::wait).
    pub(crate) waited: Duration,
}

impl LateState {
    pub(crate) fn new(
        label_set: Arc<LabelSet>,
        name: Option<StringValue>,
        workflow: Option<ParentWorkflow>,
    ) -> Self {
        Self {
            label_set,
            name,
            workflow,
            retries: 0,
            failed: None,
            timed_out: false,
            suspended: None,
            waited: Duration::ZERO,
        }
    }
}

impl ActiveUnit {
    /// Creates a unit and adds it to the open units of the instance.
    #[inline(always)]
    pub(crate) fn new(
        instance: Arc<Instance>,
        started: Instant,
        executed_before: Duration,
        span: Option<RecordedSpan>,
        late: LateState,
    ) -> Arc<Self>
    where
        Self: OpenUnit,
    {
        let kind = late.label_set.kind;
        let late = Sealable::new(late);
        let unit = Arc::new(Self {
            instance,
            kind,
            started,
            executed_before,
            span,
            late,
            slot: AtomicSlot::vacant(),
            ambient: AmbientSpan::default(),
            is_recorded: AtomicBool::new(false),
        });
        // Not `Arc::new_cyclic`, which moves the unit twice more.
        let weak = Arc::downgrade(&unit);
        if let Some(slot) = unit.instance.open_units.insert(weak) {
            unit.slot.set(slot);
        }
        unit
    }

    /// Locks the late state for reading, before and after the end.
    pub(crate) fn late(&self) -> MutexGuard<'_, Sealed<LateState>> {
        self.late.read()
    }

    /// Locks the late state for a change. `None` after the end.
    pub(crate) fn change_late(&self) -> Option<MutexGuard<'_, Sealed<LateState>>> {
        self.late.change()
    }

    /// Seals the late state: later changes have no effect. `None` if the unit has ended.
    pub(crate) fn seal(&self) -> Option<MutexGuard<'_, Sealed<LateState>>> {
        self.late.seal()
    }

    /// Notes that metrics and span of the end are recorded.
    pub(crate) fn set_recorded(&self) {
        self.is_recorded.store(true, Ordering::Release);
    }

    /// Returns whether metrics and span of the end are recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Acquire)
    }

    /// Returns the workflow that agents started under this unit belong to.
    pub(crate) fn workflow(&self) -> Option<ParentWorkflow> {
        self.workflow_of(&mut self.late())
    }

    /// Same as [`workflow`](Self::workflow), for a caller that holds the lock.
    pub(crate) fn workflow_of(&self, late: &mut LateState) -> Option<ParentWorkflow> {
        let workflow = late.workflow.as_mut()?;
        if self.kind == UnitKind::Workflow {
            // An unsampled workflow gets its run id on first use: most runs never need it.
            workflow.run_id.get_or_insert_with(new_run_id);
        }
        Some(workflow.clone())
    }
}

impl std::fmt::Debug for ActiveUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveUnit").field("kind", &self.kind).finish_non_exhaustive()
    }
}
