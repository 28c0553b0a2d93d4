//! The two kinds of units.

/// Kind of a unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum UnitKind {
    /// One segment of a workflow's run.
    Workflow,
    /// One logical execution of an agent.
    Agent,
}
