//! Items that generated code uses. Not public API: everything here may change in any version.
//! `hub-otel-macros` has exactly the same version.
//!
//! # Expansion
//!
//! ```text
//! fn f(arguments) -> impl Future<Output = T> {
//!     use ::hub_otel::__private::{self as __hub, via::*};
//!     static __CALLSITE: __hub::Callsite = __hub::Callsite::workflow("f")…;  // literals only
//!     __hub::run(&__CALLSITE, async move {
//!         let _ = &last; … let _ = &first;         // captures in the order of parameter drops
//!         __hub::open(|unit| unit.id(…).run_id(…).begin(|fields| { fields.value("key", &expression); … }));
//!         match () { () => { the user's block } }
//!     }, |value, outcome| {
//!         if let Some(error) = (&&__hub::ReturnedValue(value)).hub_otel_error() {
//!             let error = __hub::ErrorValue(error);
//!             outcome.fail((&&&error).hub_otel_kind(), (&&&&&error).hub_otel_message());
//!         }
//!     })
//! }
//! ```
//!
//! | argument | expansion |
//! |---|---|
//! | `id`, `name`, `trigger`, `action`, `run_id`, `span_name` as literals | on the call site, in the static |
//! | the same as expressions, `fields`, `labels`, `parent`, `links`, `resume`, `budget`, `enabled` | [`open`] in the body; the call site is `deferred()` |
//! | `gen_ai`, `kind`, `root` | on the call site |
//! | `timeout = e` | `let t = e; open(…); limit(t, async move { … }).await` in the body; also without the feature `enabled` |
//! | `err`, `none`, `status`, `ret` | in the classifier |
//! | none (calls) | `if let Some(refused) = (&&Refusal::<T>::new()).hub_otel_admit() { return refused; }` before the block |
//! | the same, a future or a stream | `let future = …; admit_future(future, (&&refusal_of_output(&future)).hub_otel_admission())` around it, `admit_stream` |
//! | `boxed` | [`boxed`]`(run(…))` |
//! | a function that returns a future | `let prepared = prepare(&__CALLSITE, \|unit\| unit.id(…).prepare(\|fields\| …)); run_prepared(prepared, future, …)` |
//! | a function that returns a stream | the same with `run_stream(prepared, stream, \|item, outcome\| …)` |
//! | the same inside of a `Result` | `try_stream(prepared, result, …, \|result, unit\| result.map(\|stream\| unit.stream(stream, …)))` |
//! | an `async fn` that returns a stream | `run_streaming(&__CALLSITE, async move { … }, …, \|stream, unit\| unit.stream(stream, …))` |
//! | a function that is not async | `call(&__CALLSITE, move \|\| { open(…); block }, \|value, outcome\| …)` |
//! | the same, returning `impl Trait` | `let unit = enter(&__CALLSITE); open(…); block` |
//! | `keep_async` | `async fn f(…) { run(&__CALLSITE, async move { … }, …).await }` |
//!
//! `open` must run before the first await of the body. Its chain is one expression, so that its
//! temporaries are dropped after `begin`. A classifier captures nothing (`Fn`).

use futures_core::Stream;

pub use crate::budget::Budget;
pub use crate::error_type::{ErrorType, TimedOut};
pub use crate::label::{Label, LabelValue};
pub use crate::status::UnitStatus;
pub use crate::unit::admitted::{
    AdmittedFuture, AdmittedStream, admit_future, admit_stream, refusal_of_items, refusal_of_output,
};
pub use crate::unit::arguments::{EvaluatedArgs, UnitArgs};
pub use crate::unit::attribute_value::{AttributeValue, Fields};
pub use crate::unit::autoref_specialization::{ReturnedValue, ends_call, ends_future};
pub use crate::unit::callsite::{Callsite, SpanKind};
pub use crate::unit::error_value::{BorrowedError, ErrorValue};
pub use crate::unit::identity::{IdentityExpr, IdentityValue};
pub use crate::unit::instrumented::{
    CallGuard, Instrumented, call, enter, prepare, run, run_prepared,
};
pub use crate::unit::outcome::Classification;
pub use crate::unit::refusal::{Admit, Refusal};
pub use crate::unit::start::open;
pub use crate::unit::stream::{
    InstrumentedStream, StreamUnit, run_prepared_streaming, run_stream, run_streaming, try_stream,
};
pub use crate::unit::timeout::{TimeLimited, Timeout, TimeoutStream, limit, limit_stream};
pub use std::borrow::Cow;
pub use std::option::Option::None;
pub use std::option::Option::Some;
pub use std::time::Duration;

/// Traits whose methods depend on the type of a value. Imported without a name, so that they hide
/// none of the user's names.
pub mod via {
    pub use crate::unit::autoref_specialization::{
        ReturnedError as _, ReturnedOk as _, ReturnedWork as _,
    };
    pub use crate::unit::error_value::{
        ErrorKindVia as _, ErrorMessageVia as _, ErrorSourceVia as _,
    };
    pub use crate::unit::identity::{IdentityUnsupported as _, IdentityVia as _};
    pub use crate::unit::refusal::{OtherCall as _, RefusableCall as _};
}

/// `boxed`
#[inline]
pub fn boxed<F>(body: F) -> std::pin::Pin<Box<F>> {
    Box::pin(body)
}

/// Names the type of a body, in a statement that never runs.
pub fn typed<T>() -> T {
    unreachable!("the statement is never reached")
}

/// Calls the body of a function that returns a future with the output `T`.
#[inline]
pub fn future_of<T, F: Future<Output = T>, B: FnOnce() -> F>(body: B) -> F {
    body()
}

/// Calls the body of a function that returns a stream with the items `T`.
#[inline]
pub fn stream_of<T, S: Stream<Item = T>, B: FnOnce() -> S>(body: B) -> S {
    body()
}

/// `none = error`
#[inline]
pub fn is_none<T>(value: &Option<T>) -> bool {
    value.is_none()
}

/// `enabled = …`, for a function that returns a future
#[inline]
pub fn when(
    enabled: bool,
    prepare: impl FnOnce() -> Option<EvaluatedArgs>,
) -> Option<EvaluatedArgs> {
    if enabled { prepare() } else { None }
}
