//! What generated code calls, and nothing else does: the one door between the macros and the runtime.
//!
//! Not public API: everything here may change in any version. `hub-otel-macros` has the same version, to the digit.
//!
//! # The expansion
//!
//! ```text
//! fn f(arguments) -> impl Future<Output = T> {
//!     use ::hub_otel::__private::{self as __hub, via::*};
//!     static __SITE: __hub::Site = __hub::Site::workflow("f")…;   // or agent("id", "action"); const, literals only
//!     __hub::run(&__SITE, async move {
//!         let _ = &last; … let _ = &first;                        // captured in place: last to first, as they are dropped
//!         __hub::open(|unit| unit.id(…).run_id(…).begin(|fields| { fields.value("key", &expression); … }));
//!         match () { () => { the user's block } }
//!     }, |value, closing| (&&&&&&&__hub::ValueOf(value)).hub_otel_close(closing))
//! }
//! ```
//!
//! | argument | call |
//! |---|---|
//! | `id`, `name`, `trigger`, `action`, `run_id`, `span_name` as literals | on the site, in the static |
//! | the same as expressions, `fields`, `labels`, `parent`, `links`, `resume`, `enabled` | [`open`] in the body of a site that is `deferred()` |
//! | `gen_ai`, `kind`, `root` | on the site |
//! | `timeout = e` | `run(&__SITE, within(async move { …; deadline(e); open(…); … }), …)`; also with the feature `enabled` off |
//! | `err`, `none`, `status`, `ret` | in the classifier |
//! | `boxed` | [`boxed`]`(run(…))` |
//! | a function that returns a future | `let prepared = prepare(&__SITE, \|unit\| unit.id(…).prepare(\|fields\| …)); run_prepared(prepared, future, …)` |
//! | a function that is not async | `call(&__SITE, move \|\| { open(…); block }, \|value, closing\| …)` |
//! | `keep_async` | `async fn f(…) { run(&__SITE, async move { … }, …).await }` |
//!
//! `open` runs its closure only where the unit is recorded; it must be the first statement of the body (after
//! `deadline`), with nothing awaited before it. The chain on `o` has to be one expression, so that its temporaries live
//! until `begin`. A classifier captures nothing (`Fn`).

pub use crate::error_type::{ErrorType, TimedOut};
pub use crate::label::{Label, LabelValue};
pub use crate::status::UnitStatus;
pub use crate::unit::arguments::{Opening, Prepared, open};
pub use crate::unit::attribute_value::{Field, Fields};
pub use crate::unit::autoref_specialization::ValueOf;
pub use crate::unit::callsite::Site;
pub use crate::unit::identity::{Text, TextOf};
pub use crate::unit::instrumented::{Run, call, prepare, run, run_prepared};
pub use crate::unit::outcome::Classification;
pub use crate::unit::timeout::{TimeLimited, Within, deadline, within};
pub use opentelemetry::trace::SpanKind;
pub use std::option::Option::None;
pub use std::option::Option::Some;
pub use std::time::Duration;

/// The traits whose methods find out what a type can do. Nameless: they hide no name of the user's.
pub mod via {
    pub use crate::unit::autoref_specialization::{Close as _, ErrorOf as _, OkOf as _};
    pub use crate::unit::identity::{NoText as _, ViaText as _};
}

/// `boxed`
#[inline]
pub fn boxed<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
    Box::pin(future)
}

/// `none = error`
#[inline]
pub fn is_none<T>(value: &Option<T>) -> bool {
    value.is_none()
}

/// `enabled = …` of a function that returns a future.
#[inline]
pub fn when(enabled: bool, prepare: impl FnOnce() -> Option<Prepared>) -> Option<Prepared> {
    if enabled { prepare() } else { None }
}
