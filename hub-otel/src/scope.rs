//! One unit of work: opens on the first poll, closes exactly once with one outcome, whatever happens to it: return,
//! error, panic, a passed deadline or a dropped future.
//!
//! The way of a call: a [`site`] (what the macro knows at compile time) → [`run`] (the wrapper future, or [`call`] for
//! functions that are not async) → [`opening`] (what only the call knows) → [`start`] ([`parent`], identity, sampler) →
//! [`unit`] (what is known while it runs, kept in the [`span`] when it records) → [`end`] (status, attributes, counters,
//! histogram, in one place; [`again`] keeps an error's text). [`frame`] is the one home of the thread-local state,
//! [`running`] what it says of a context.

mod again;
pub(crate) mod classify;
mod clock;
mod describe;
pub(crate) mod end;
pub(crate) mod field;
pub(crate) mod frame;
pub(crate) mod lifecycle;
pub(crate) mod opening;
pub(crate) mod outcome;
pub(crate) mod parent;
pub(crate) mod run;
pub(crate) mod run_id;
pub(crate) mod running;
pub(crate) mod site;
pub(crate) mod span;
mod start;
pub(crate) mod text;
mod timer;
pub(crate) mod unit;
pub(crate) mod until_end;
pub(crate) mod within;

/// What a unit of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// One segment of a workflow's run.
    Workflow,
    /// One logical execution of an agent.
    Agent,
}
