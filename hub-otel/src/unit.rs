//! One unit of work: opens on the first poll, closes exactly once with one outcome, whatever happens to it: return,
//! error, panic, a passed deadline or a dropped future.
//!
//! The way of a call: a [`site`] (what the macro knows at compile time) → [`run`] (the wrapper future, or [`call`] for
//! functions that are not async) → [`opening`] (what only the call knows) → [`start`] ([`parent`], identity, sampler) →
//! [`unit`] (what is known while it runs, kept in the [`span`] when it records) → [`end`] (status, attributes, counters,
//! histogram, in one place; [`again`] keeps an error's text). [`frame`] is the one home of the thread-local state,
//! [`running`] what it says of a context.

pub(crate) mod again;
pub(crate) mod agent;
pub(crate) mod arguments;
pub(crate) mod attribute_value;
pub(crate) mod attributes;
pub(crate) mod autoref_specialization;
pub(crate) mod builder;
pub(crate) mod callsite;
pub(crate) mod clock;
pub(crate) mod current;
pub(crate) mod declare;
pub(crate) mod delay;
pub(crate) mod events;
pub(crate) mod finish;
pub(crate) mod identity;
pub(crate) mod instrumented;
pub(crate) mod lookup;
pub(crate) mod outcome;
pub(crate) mod parent;
pub(crate) mod run_id;
pub(crate) mod sealable;
pub(crate) mod segment;
pub(crate) mod span;
pub(crate) mod stack;
pub(crate) mod start;
pub(crate) mod state;
pub(crate) mod timeout;
pub(crate) mod workflow;
