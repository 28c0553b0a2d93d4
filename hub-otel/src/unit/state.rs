//! What is known of a unit while it runs: in its span when it records, else in the wrapper future.
//!
//! Small, because a unit that only counts lives in the future itself: what few units have stands behind a pointer that is
//! made when somebody asks.

use crate::metrics::LabelSet;
use crate::sync::MutexGuard;
use crate::unit::callsite::Site;
use crate::unit::events::Facts;
use crate::unit::sealable::{Told, UntilEnd};
use crate::unit::{clock, run_id};
use crate::unit_kind::UnitKind;
use opentelemetry::StringValue;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// A unit that runs.
pub(crate) struct Unit {
    pub(crate) set: Arc<LabelSet>,
    pub(crate) started: Instant,
    /// Where the literals stand that nobody has asked for yet.
    pub(crate) site: Option<&'static Site>,
    /// The workflow that encloses an agent. A workflow's own, once somebody has asked.
    pub(crate) workflow: Option<Arc<Enclosing>>,
    /// Somebody holds a handle: from then on the facts that change live there.
    pub(crate) shared: Option<Arc<Shared>>,
}

/// The texts of a unit that are known by the call alone. Kept where it records; else nobody is likely to ask.
#[derive(Debug, Default)]
pub(crate) struct Given {
    pub(crate) name: Option<StringValue>,
    pub(crate) run_id: Option<StringValue>,
}

/// What agents inherit from the workflow above them.
#[derive(Debug, Clone)]
pub(crate) struct Enclosing {
    pub(crate) id: StringValue,
    /// Unknown only where another process did not say it.
    pub(crate) run_id: Option<StringValue>,
}

/// A unit as its handles see it, from any thread.
pub(crate) struct Shared {
    pub(crate) kind: UnitKind,
    pub(crate) started: Instant,
    /// Time executed by the segments before this one.
    pub(crate) before: Duration,
    late: UntilEnd<Late>,
}

/// The facts that arrive while a unit runs.
pub(crate) struct Late {
    pub(crate) set: Arc<LabelSet>,
    pub(crate) name: Option<StringValue>,
    pub(crate) workflow: Option<Arc<Enclosing>>,
    pub(crate) retries: i64,
    pub(crate) failed: Option<Cow<'static, str>>,
    pub(crate) timed_out: bool,
    pub(crate) suspended: Option<Cow<'static, str>>,
    /// Time spent waiting for approvals in process.
    pub(crate) waited: Duration,
}

impl Shared {
    /// The facts as they stand, whether the unit still runs or not.
    pub(crate) fn late(&self) -> MutexGuard<'_, Told<Late>> {
        self.late.read()
    }

    /// The facts, to add to; `None` once the unit has ended.
    pub(crate) fn running(&self) -> Option<MutexGuard<'_, Told<Late>>> {
        self.late.add()
    }

    /// The facts that the end goes by: nothing that comes now counts any more.
    pub(crate) fn end(&self) -> MutexGuard<'_, Told<Late>> {
        self.late.end()
    }
}

impl Unit {
    pub(crate) fn kind(&self) -> UnitKind {
        self.set.kind
    }

    /// The handle's side of this unit, made when it is first asked for.
    pub(crate) fn shared(&mut self, given: &Given) -> Arc<Shared> {
        self.share(given, Duration::ZERO)
    }

    /// The same for a unit whose segments before this one took `before`.
    pub(crate) fn share(&mut self, given: &Given, before: Duration) -> Arc<Shared> {
        if let Some(shared) = &self.shared {
            return Arc::clone(shared);
        }
        let literal = || self.site.and_then(|site| site.name).map(StringValue::from);
        let name = given.name.clone().or_else(literal);
        let shared = Arc::new(Shared {
            kind: self.kind(),
            started: self.started,
            before,
            late: UntilEnd::new(Late {
                set: Arc::clone(&self.set),
                name,
                workflow: self.enclosing(given),
                retries: 0,
                failed: None,
                timed_out: false,
                suspended: None,
                waited: Duration::ZERO,
            }),
        });
        self.shared = Some(Arc::clone(&shared));
        shared
    }

    /// What an agent below inherits.
    pub(crate) fn enclosing(&mut self, given: &Given) -> Option<Arc<Enclosing>> {
        if let Some(shared) = &self.shared {
            return shared.late().workflow.clone();
        }
        if self.workflow.is_none() && self.kind() == UnitKind::Workflow {
            self.workflow = Some(Arc::new(self.as_enclosing(given)));
        }
        self.workflow.clone()
    }

    /// A workflow as agents below see it. Asked twice, it says the same: a run id that is made up here is kept.
    pub(crate) fn as_enclosing(&mut self, given: &Given) -> Enclosing {
        if let Some(workflow) = &self.workflow {
            return Enclosing::clone(workflow);
        }
        let literal = || self.site.and_then(|site| site.run_id).map(StringValue::from);
        let known = given.run_id.clone().or_else(literal);
        let made_up = known.is_none();
        let run_id = known.unwrap_or_else(|| run_id::new(clock::wall(self.started)));
        let enclosing = Enclosing { id: self.set.id.clone(), run_id: Some(run_id) };
        if made_up {
            self.workflow = Some(Arc::new(enclosing.clone()));
        }
        enclosing
    }

    /// The workflow of this unit as it is now.
    fn told(&mut self, given: &Given) -> Option<Enclosing> {
        match (&self.shared, self.kind()) {
            (Some(shared), _) => shared.late().workflow.as_deref().cloned(),
            (None, UnitKind::Workflow) => Some(self.as_enclosing(given)),
            (None, UnitKind::Agent) => self.workflow.as_deref().cloned(),
        }
    }

    /// What the log says of this unit.
    pub(crate) fn describe(&mut self, given: &Given) -> Facts {
        let set = match &self.shared {
            Some(shared) => Arc::clone(&shared.late().set),
            None => Arc::clone(&self.set),
        };
        Facts {
            kind: self.kind(),
            exceptions: set.instruments.options.exceptions,
            set,
            workflow: self.told(given),
            shared: self.shared.clone(),
        }
    }
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit")
            .field("kind", &self.kind())
            .field("id", &self.set.id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("kind", &self.kind).finish_non_exhaustive()
    }
}
