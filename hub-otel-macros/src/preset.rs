//! The kinds of unit that an attribute can open, as data: a further one is a row here and a constructor in the runtime.

use crate::args::Word;

/// One attribute macro.
pub(crate) struct Preset {
    /// The attribute's name.
    pub(crate) attribute: &'static str,
    /// The constructor of its call site in `hub_otel::__private::Site`.
    pub(crate) constructor: &'static str,
    /// The arguments that other presets do not have.
    pub(crate) own: &'static [Word],
}

/// `#[instrument_workflow]`
pub(crate) static WORKFLOW: Preset = Preset {
    attribute: "instrument_workflow",
    constructor: "workflow",
    own: &[Word::Trigger, Word::Resume],
};

/// `#[instrument_agent]`
pub(crate) static AGENT: Preset =
    Preset { attribute: "instrument_agent", constructor: "agent", own: &[Word::Action] };

/// Every preset: what one refuses may belong to another.
pub(crate) static ALL: [&Preset; 2] = [&WORKFLOW, &AGENT];
