//! What is known of a unit while it runs: in its span when it records, else in the wrapper future.

use super::{Kind, clock, run_id};
use crate::instance::Instance;
use crate::metrics::LabelSet;
use opentelemetry::StringValue;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A unit that runs.
pub(crate) struct Unit {
    pub(crate) instance: Arc<Instance>,
    pub(crate) set: Arc<LabelSet>,
    pub(crate) kind: Kind,
    pub(crate) started: Instant,
    /// Time executed by the segments before this one.
    pub(crate) before: Duration,
    pub(crate) name: Option<StringValue>,
    /// The workflow itself, or the one that encloses the agent.
    pub(crate) workflow: Option<Enclosing>,
    /// Somebody holds a handle: from then on the facts that change live there.
    pub(crate) shared: Option<Arc<Shared>>,
}

/// What agents inherit from the workflow above them.
#[derive(Debug, Clone)]
pub(crate) struct Enclosing {
    pub(crate) id: StringValue,
    /// Made when it is first asked for, where nobody gave one and nothing records.
    pub(crate) run_id: Option<StringValue>,
}

/// A unit as its handles see it, from any thread.
pub(crate) struct Shared {
    pub(crate) instance: Arc<Instance>,
    pub(crate) kind: Kind,
    pub(crate) started: Instant,
    pub(crate) before: Duration,
    late: Mutex<Late>,
}

/// The facts that arrive while a unit runs.
pub(crate) struct Late {
    pub(crate) set: Arc<LabelSet>,
    pub(crate) name: Option<StringValue>,
    pub(crate) workflow: Option<Enclosing>,
    pub(crate) retries: i64,
    pub(crate) failed: Option<Cow<'static, str>>,
    pub(crate) timed_out: bool,
    pub(crate) suspended: Option<Cow<'static, str>>,
    /// Time spent waiting for approvals in process.
    pub(crate) waited: Duration,
    /// Nothing that comes now counts any more.
    pub(crate) ended: bool,
}

impl Shared {
    pub(crate) fn late(&self) -> MutexGuard<'_, Late> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The workflow of this unit, with a run id.
    pub(crate) fn enclosing(&self) -> Option<Enclosing> {
        with_run_id(&mut self.late().workflow, self.started)
    }
}

impl Unit {
    /// The handle's side of this unit, made when it is first asked for.
    pub(crate) fn shared(&mut self) -> Arc<Shared> {
        let shared = self.shared.get_or_insert_with(|| {
            Arc::new(Shared {
                instance: Arc::clone(&self.instance),
                kind: self.kind,
                started: self.started,
                before: self.before,
                late: Mutex::new(Late {
                    set: Arc::clone(&self.set),
                    name: self.name.clone(),
                    workflow: self.workflow.clone(),
                    retries: 0,
                    failed: None,
                    timed_out: false,
                    suspended: None,
                    waited: Duration::ZERO,
                    ended: false,
                }),
            })
        });
        Arc::clone(shared)
    }

    /// What an agent below inherits.
    pub(crate) fn enclosing(&mut self) -> Option<Enclosing> {
        match &self.shared {
            Some(shared) => shared.enclosing(),
            None => with_run_id(&mut self.workflow, self.started),
        }
    }

    /// What the log says of this unit.
    pub(crate) fn describe(&mut self) -> super::lifecycle::Facts {
        let set = match &self.shared {
            Some(shared) => Arc::clone(&shared.late().set),
            None => Arc::clone(&self.set),
        };
        super::lifecycle::Facts {
            kind: self.kind,
            set,
            workflow: self.enclosing(),
            exceptions: self.instance.options.exceptions,
            shared: self.shared.clone(),
        }
    }
}

fn with_run_id(workflow: &mut Option<Enclosing>, started: Instant) -> Option<Enclosing> {
    let workflow = workflow.as_mut()?;
    workflow.run_id.get_or_insert_with(|| run_id::new(clock::wall(started)));
    Some(workflow.clone())
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unit").field("kind", &self.kind).field("id", &self.set.id).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("kind", &self.kind).finish_non_exhaustive()
    }
}
