//! The attribute macros as data. A further unit kind is one `MacroKind` here and one constructor in
//! the runtime.

use crate::table::{Arg, TABLE};

/// One attribute macro.
pub(crate) struct MacroKind {
    /// The attribute's name.
    pub(crate) attribute: &'static str,
    /// Name of the constructor of its call site in `hub_otel::__private`.
    pub(crate) constructor: &'static str,
    /// The argument that the constructor takes. Defaults to the function's name.
    pub(crate) identity: Option<Arg>,
    /// Arguments that this attribute accepts and another one does not.
    own: &'static [Arg],
}

/// `#[instrument_workflow]`
pub(crate) static WORKFLOW: MacroKind = MacroKind {
    attribute: "instrument_workflow",
    constructor: "workflow",
    identity: Some(Arg::Id),
    own: &[
        Arg::Id,
        Arg::Name,
        Arg::RunId,
        Arg::Trigger,
        Arg::Resume,
        Arg::Budget,
        Arg::Conversation,
        Arg::Labels,
        Arg::GenAi,
    ],
};

/// `#[instrument_agent]`
pub(crate) static AGENT: MacroKind = MacroKind {
    attribute: "instrument_agent",
    constructor: "agent",
    identity: Some(Arg::Id),
    own: &[
        Arg::Id,
        Arg::Name,
        Arg::Action,
        Arg::RunId,
        Arg::Conversation,
        Arg::Budget,
        Arg::Labels,
        Arg::GenAi,
    ],
};

/// `#[instrument_llm]`
pub(crate) static LLM: MacroKind = MacroKind {
    attribute: "instrument_llm",
    constructor: "llm",
    identity: None,
    own: &[Arg::Provider, Arg::Model, Arg::Operation, Arg::DataSource],
};

/// `#[instrument_tool]`
pub(crate) static TOOL: MacroKind = MacroKind {
    attribute: "instrument_tool",
    constructor: "tool",
    identity: Some(Arg::Name),
    own: &[Arg::Name, Arg::CallId],
};

/// Every attribute macro.
pub(crate) static ALL: [&MacroKind; 4] = [&WORKFLOW, &AGENT, &LLM, &TOOL];

impl MacroKind {
    /// Returns whether the unit is a call, which a budget may refuse.
    pub(crate) fn is_call(&self) -> bool {
        !self.accepts(Arg::Budget)
    }

    /// Returns whether this attribute accepts the argument.
    pub(crate) fn accepts(&self, arg: Arg) -> bool {
        self.own.contains(&arg) || !ALL.iter().any(|other| other.own.contains(&arg))
    }

    /// Names of the arguments that this attribute accepts, in the order of the table.
    pub(crate) fn argument_names(&self) -> impl Iterator<Item = &'static str> {
        TABLE.iter().filter(|spec| self.accepts(spec.arg)).map(|spec| spec.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{AGENT, LLM, TOOL, WORKFLOW};
    use crate::table::Arg;

    #[test]
    fn an_attribute_rejects_the_arguments_of_others() {
        assert!(WORKFLOW.accepts(Arg::Trigger) && !WORKFLOW.accepts(Arg::Action));
        assert!(AGENT.accepts(Arg::Action) && !AGENT.accepts(Arg::Resume));
        assert!(AGENT.accepts(Arg::Id) && WORKFLOW.accepts(Arg::Id) && !LLM.accepts(Arg::Id));
        assert!(LLM.accepts(Arg::Model) && !TOOL.accepts(Arg::Model) && !AGENT.accepts(Arg::Model));
        assert!(TOOL.accepts(Arg::CallId) && TOOL.accepts(Arg::Name) && !LLM.accepts(Arg::Name));
        assert!(TOOL.accepts(Arg::Fields) && LLM.accepts(Arg::Timeout));
    }
}
