//! Unit of work: starts on the first poll and ends exactly once with one outcome, whether it
//! returns, fails, panics, times out or is dropped.
//!
//! | step | modules |
//! |---|---|
//! | call | [`callsite`]: literals. [`arguments`], [`identity`], [`attribute_value`], [`segment`]: values |
//! | poll | [`instrumented`], [`stream`]: wrapper future and stream. [`stack`]: units that are polled on this thread, unit of a context |
//! | start | [`start`]: parent, sampling, context. [`attributes`]: label set and identity. [`call`]: those of a call of a model or tool |
//! | admission | [`refusal`]: by the budget, for a function. [`admitted`]: on the first poll of a future or stream |
//! | run | [`state`]: the unit, a value of its context. [`spending`]: its cost and budget. [`span`]: its span, [`raw_span`] in OpenTelemetry's API. [`current`]: handle. [`ambient`]: its `tracing` span. [`run_attributes`]: attributes that units inherit. [`open_units`]: all units in progress |
//! | end | [`outcome`]: value → result. [`error_value`], [`error_message`], [`panic_text`]: failures. [`ending`], [`finish`]: log record, metrics and span. [`events`], [`unit_event`]: log records |
//! | export | [`span_facts`]: attributes, status and exception of the span |

pub(crate) mod admitted;
pub(crate) mod ambient;
pub(crate) mod arguments;
mod attribute_array;
pub(crate) mod attribute_value;
mod attributes;
pub(crate) mod autoref_specialization;
pub(crate) mod builder;
pub(crate) mod call;
pub(crate) mod callsite;
pub(crate) mod clock;
pub(crate) mod current;
pub(crate) mod ending;
mod error_message;
pub(crate) mod error_value;
mod events;
mod finish;
#[cfg(feature = "sdk")]
pub(crate) mod foreign_call;
mod gen_ai;
pub(crate) mod identity;
pub(crate) mod instrumented;
pub(crate) mod open_units;
pub(crate) mod outcome;
pub(crate) mod panic_text;
pub(crate) mod raw_span;
pub(crate) mod refusal;
pub(crate) mod run_attributes;
mod sealable;
pub(crate) mod segment;
pub(crate) mod span;
pub(crate) mod span_facts;
pub(crate) mod spending;
pub(crate) mod stack;
pub(crate) mod start;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod timeout;
pub(crate) mod unit_event;
pub(crate) mod unrecorded;
