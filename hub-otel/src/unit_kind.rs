//! The kinds of units.

/// Kind of a unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum UnitKind {
    /// One segment of a workflow's run.
    Workflow,
    /// One logical execution of an agent.
    Agent,
    /// One call of a model.
    Llm,
    /// One execution of a tool.
    Tool,
}

impl UnitKind {
    /// Returns whether the metrics of workflows and agents count the unit. Calls of models and
    /// tools have metrics of their own.
    #[inline]
    pub(crate) fn is_counted(self) -> bool {
        matches!(self, Self::Workflow | Self::Agent)
    }
}
