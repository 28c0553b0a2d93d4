//! State of a unit in progress.
//!
//! An [`ActiveUnit`] is a value of the unit's OpenTelemetry context, so every task that runs under
//! the context finds it. Handles ([`Current`](crate::Current)) and the wrapper future share it.

use crate::budget::account::{CallKind, Charge, remedy};
use crate::gen_ai::Run;
use crate::instance::Instance;
use crate::metrics::LabelSet;
use crate::money::Picodollars;
use crate::semconv::error_type;
use crate::semconv::value::suspend_reason;
use crate::status::UnitStatus;
use crate::sync::MutexGuard;
use crate::unit::ambient::AmbientSpan;
use crate::unit::call::Call;
use crate::unit::ending::Ending;
use crate::unit::identity::{ParentWorkflow, new_run_id};
use crate::unit::open_units::{AtomicSlot, OpenUnit};
use crate::unit::run_attributes::RunAttributes;
use crate::unit::sealable::{Sealable, Sealed};
use crate::unit::span::{RecordLimits, RecordedSpan, UnitSpan};
use crate::unit::spending::Spending;
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
    pub(crate) spending: Spending<ActiveUnit>,
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

/// The part of a unit's state that changes while it runs.
pub(crate) struct LateState {
    pub(crate) label_set: Arc<LabelSet>,
    pub(crate) name: Option<StringValue>,
    /// For a workflow: its own identity. For an agent: the workflow around it.
    pub(crate) workflow: Option<ParentWorkflow>,
    pub(crate) retries: i64,
    /// Takes precedence over the returned value.
    pub(crate) outcome: Option<Box<LateOutcome>>,
    /// Time spent in [`approval::wait`](crate::approval::wait). Few units have some.
    waits: Option<Box<Waits>>,
    /// Inherited by the units below.
    pub(crate) run_attributes: Option<RunAttributes>,
    /// Of a unit that is a call.
    pub(crate) call: Option<Box<Call>>,
}

/// Outcome that was recorded while the unit ran. Few units have one.
#[derive(Default)]
pub(crate) struct LateOutcome {
    pub(crate) failed: Option<Cow<'static, str>>,
    pub(crate) timed_out: bool,
    pub(crate) suspended: Option<Cow<'static, str>>,
    /// A dropped future is a suspended segment and not a cancelled run.
    pub(crate) suspend_on_drop: bool,
}

/// Waits for approvals. Those in progress at the same time count once.
struct Waits {
    /// Time of the waits that have ended.
    ended: Duration,
    in_progress: u32,
    /// Begin of the waits in progress.
    since: Instant,
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
            outcome: None,
            waits: None,
            run_attributes: None,
            call: None,
        }
    }

    /// Returns the outcome that is recorded while the unit runs.
    pub(crate) fn outcome(&mut self) -> &mut LateOutcome {
        self.outcome.get_or_insert_default()
    }

    pub(crate) fn begin_wait(&mut self) {
        let now = Instant::now();
        let new = || Waits { ended: Duration::ZERO, in_progress: 0, since: now };
        let waits = self.waits.get_or_insert_with(|| Box::new(new()));
        if waits.in_progress == 0 {
            waits.since = now;
        }
        waits.in_progress += 1;
    }

    pub(crate) fn end_wait(&mut self) {
        // None in progress: the units in between had ended, and another way led to this one.
        if let Some(waits) = self.waits.as_mut().filter(|waits| waits.in_progress > 0) {
            waits.in_progress -= 1;
            if waits.in_progress == 0 {
                waits.ended += waits.since.elapsed();
            }
        }
    }

    /// Returns the time spent in waits, those in progress included.
    pub(crate) fn waited(&self) -> Duration {
        let Some(waits) = &self.waits else { return Duration::ZERO };
        let is_waiting = waits.in_progress > 0;
        waits.ended + if is_waiting { waits.since.elapsed() } else { Duration::ZERO }
    }

    /// Applies what was recorded while the unit ran, which takes precedence over the returned
    /// value. Returns the reason if the unit was suspended.
    pub(super) fn apply_to(&self, ending: &mut Ending) -> Option<Cow<'static, str>> {
        let outcome = self.outcome.as_ref()?;
        if !ending.returned {
            let continues = outcome.suspend_on_drop && ending.status == UnitStatus::Cancelled;
            return continues.then_some(Cow::Borrowed(suspend_reason::DROPPED));
        }
        if outcome.timed_out {
            ending.fail(UnitStatus::TimedOut, Cow::Borrowed(error_type::TIMEOUT));
        } else if let Some(error_type) = &outcome.failed {
            ending.fail(UnitStatus::Failed, error_type.clone());
        } else if let Some(reason) = &outcome.suspended {
            ending.failure = None;
            return Some(reason.clone());
        }
        None
    }
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
    /// Of a unit that is a call.
    pub(super) call: Option<Box<Call>>,
}

impl ActiveUnit {
    /// Creates a unit and adds it to the open units of the instance.
    #[inline(always)]
    pub(crate) fn new(
        instance: Arc<Instance>,
        started: Instant,
        executed_before: Duration,
        span: Option<RecordedSpan>,
        spending: Spending<Self>,
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
            spending,
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

    /// Applies `change` to the span. No-op without a span and after the end.
    pub(crate) fn change_span(&self, change: impl FnOnce(&mut UnitSpan, &RecordLimits)) {
        if let Some(span) = &self.span {
            span.change(|span| change(span, &self.instance.span_limits));
        }
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

    /// Returns the unit and those around it, up to its workflow.
    pub(crate) fn up_to_workflow(self: &Arc<Self>) -> impl Iterator<Item = Arc<Self>> {
        std::iter::successors(Some(Arc::clone(self)), |unit| {
            if unit.kind == UnitKind::Workflow {
                return None;
            }
            // An agent in between may have ended.
            let Spending { parent, workflow, .. } = &unit.spending;
            parent.upgrade().or_else(|| workflow.upgrade())
        })
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

/// Calls of models and tools in the unit.
impl ActiveUnit {
    /// Returns the innermost agent and workflow, for the metrics of a call in this unit.
    pub(crate) fn run(&self) -> Run {
        let late = self.late();
        // The id of an agent beyond the cap of label sets is not known here.
        let is_agent = self.kind == UnitKind::Agent && !late.label_set.overflowing;
        Run {
            agent_id: is_agent.then(|| late.label_set.id.clone()),
            workflow_id: late.workflow.as_ref().map(|workflow| workflow.id.clone()),
        }
    }

    /// Adds the cost of a call in this unit, to it and to the units around it.
    pub(crate) fn add_cost(&self, cost: Picodollars) {
        self.spending.add(cost);
        let mut workflow = self.spending.workflow.upgrade();
        let mut next = self.spending.parent.upgrade();
        while let Some(unit) = next {
            unit.spending.add(cost);
            workflow = workflow.filter(|workflow| !Arc::ptr_eq(workflow, &unit));
            next = unit.spending.parent.upgrade();
        }
        if let Some(workflow) = workflow {
            // An agent in between has ended: its parents are not reached.
            workflow.add_cost(cost);
        }
    }

    /// Charges a call that another library made in this unit, and that no budget admitted.
    pub(crate) fn charge_foreign(&self, call: CallKind, charge: Charge) {
        if let Some(cost) = charge.cost {
            self.add_cost(cost);
        }
        if let Some(account) = &self.spending.account {
            account.charge(call, charge, remedy::FOREIGN);
        }
    }
}

impl std::fmt::Debug for ActiveUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveUnit").field("kind", &self.kind).finish_non_exhaustive()
    }
}
