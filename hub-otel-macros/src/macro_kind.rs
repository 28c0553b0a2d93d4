//! The attribute macros as data. A further unit kind is one `MacroKind` here and one constructor in
//! the runtime.

use crate::table::{Arg, TABLE};

/// One attribute macro.
pub(crate) struct MacroKind {
    /// The attribute's name.
    pub(crate) attribute: &'static str,
    /// Name of the constructor of its call site in `hub_otel::__private`.
    pub(crate) constructor: &'static str,
    /// Arguments that only this attribute accepts.
    exclusive: &'static [Arg],
}

/// `#[instrument_workflow]`
pub(crate) static WORKFLOW: MacroKind = MacroKind {
    attribute: "instrument_workflow",
    constructor: "workflow",
    exclusive: &[Arg::Trigger, Arg::Resume],
};

/// `#[instrument_agent]`
pub(crate) static AGENT: MacroKind =
    MacroKind { attribute: "instrument_agent", constructor: "agent", exclusive: &[Arg::Action] };

/// Every attribute macro.
pub(crate) static ALL: [&MacroKind; 2] = [&WORKFLOW, &AGENT];

impl MacroKind {
    /// Returns whether this attribute accepts the argument.
    pub(crate) fn accepts(&self, arg: Arg) -> bool {
        self.exclusive.contains(&arg) || !ALL.iter().any(|other| other.exclusive.contains(&arg))
    }

    /// Names of the arguments that this attribute accepts, in the order of the table.
    pub(crate) fn argument_names(&self) -> impl Iterator<Item = &'static str> {
        TABLE.iter().filter(|spec| self.accepts(spec.arg)).map(|spec| spec.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{AGENT, WORKFLOW};
    use crate::table::Arg;

    #[test]
    fn an_attribute_rejects_the_exclusive_arguments_of_the_other() {
        assert!(WORKFLOW.accepts(Arg::Trigger) && !WORKFLOW.accepts(Arg::Action));
        assert!(AGENT.accepts(Arg::Action) && !AGENT.accepts(Arg::Resume));
        assert!(AGENT.accepts(Arg::Id) && WORKFLOW.accepts(Arg::Id));
    }
}
