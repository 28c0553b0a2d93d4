//! What generated code calls, and nothing else does: the one door between the macros and the runtime.
//!
//! Not public API: everything here may change in any version. `hub-otel-macros` has the same version, to the digit.
//!
//! # The expansion
//!
//! ```text
//! fn f(arguments) -> impl Future<Output = T> {
//!     static SITE: Site = Site::workflow("f")…;           // or Site::agent("id", "action"); const builder, literals only
//!     let body = async move {
//!         let _ = &argument; …                            // captured in place, in the order of the signature
//!         open(|o| o.id(…).run_id(…).begin(|f| { f.value("key", &expression); … }));      // only with SITE.deferred()
//!         match () { () => { the user's block } }
//!     };
//!     run(&SITE, body, |value: &_, closing: &mut Closing| classify!(value, closing))
//! }
//! ```
//!
//! | argument | call |
//! |---|---|
//! | `id`, `name`, `trigger`, `action`, `run_id` as literals | `Site::workflow(id)` / `Site::agent(id, action)` `.name(…)` `.trigger(…)` `.run_id(…)` in the static |
//! | the same as expressions | `.deferred()` on the site; `open(\|o\| { use ::hub_otel::__private::via::*; o.id((&&&TextOf(&expression)).text()).name(…).trigger(…).action(…).run_id(…).begin(\|_\| {}) })`. Each argument that is a literal beside them stays on the site |
//! | `fields(…)` | the closure of `.begin(\|f\| …)`: `f.value(key, &e)`, `f.display(key, &e)` for `%`, `f.debug(key, &e)` for `?` |
//! | `labels(k = e)` | `o.labels(&[("k", Label::label(&e)), …])` |
//! | `enabled = e` | `open(\|o\| if e { o.….begin(…) } else { o.skip() })` |
//! | `gen_ai` | `Site::gen_ai()` |
//! | `span_name` | literal: `Site::span_name("…")`; expression: `o.span_name(e)` (`Into<Cow<'static, str>>`) |
//! | `kind` | `Site::span_kind(SpanKind::Consumer)`; or `o.span_kind(e)` |
//! | `root` | `Site::root()` |
//! | `parent = e` | `o.parent(e)`: `Context`, `SpanContext`, references to and options of them |
//! | `links = e` | `o.links(e)`: an iterator of `SpanContext` |
//! | `resume = e` | `o.resume(e)`: `Segment` or `Option<Segment>` |
//! | `timeout = e` | `run(&SITE, within(async move { …; deadline(e); open(…); … }), …)`: `deadline` before `open`; the bound on the output is `TimeLimited`. It also holds with the feature `enabled` off: then `within(body)` alone |
//! | `err(expected = path)` | in the classifier: `classify!(value, closing, expected: path)` |
//! | `none = error` | `if value.is_none() { closing.none() }` |
//! | `status = path` | after `classify!`: `closing.status(path(value))` |
//! | `ret(\|out\| key = e)` | `if let Ok(out) = value { closing.ret(\|f\| f.value("key", &e)) }` |
//! | `boxed` | `Box::pin(run(…))` |
//! | a function that returns a future | `let prepared = prepare(&SITE, \|o\| o.id(…).prepare(\|f\| …)); run_prepared(prepared, block, …)` |
//! | a function that is not async | `call(&SITE, move \|\| { open(…); block }, \|value, closing\| …)` |
//! | `keep_async` | `async fn f(…) { run(&SITE, async move { … }, …).await }` |
//!
//! `open` runs its closure only where the unit is recorded; it must be the first statement of the body (after
//! `deadline`), with nothing awaited before it. The chain on `o` has to be one expression, so that its temporaries live
//! until `begin`. A classifier captures nothing (`Fn`).

pub use crate::error_type::{ErrorType, TimedOut};
pub use crate::label::{Label, LabelValue};
pub use crate::scope::field::{Field, Fields};
pub use crate::scope::opening::{Opening, Prepared, open};
pub use crate::scope::outcome::{
    Closing, KindOf, MessageOf, ValueOf, ViaDebugged, ViaDisplayed, ViaErrorType, ViaResult, ViaSilent,
    ViaTypeName, ViaValue,
};
pub use crate::scope::run::{Run, call, prepare, run, run_prepared};
pub use crate::scope::site::Site;
pub use crate::scope::text::{Text, TextOf};
pub use crate::scope::within::{TimeLimited, Within, deadline, within};
pub use crate::status::Status;
pub use crate::{__classify as classify, __text as text};
pub use opentelemetry::trace::SpanKind;

/// The traits behind [`text!`](crate::__text), to be imported by the closure that uses it.
pub mod via {
    pub use crate::scope::text::{ViaDisplay, ViaOption, ViaText};
}

/// The text of an identity argument. Not a block: its temporaries live as long as the chain that it stands in.
#[doc(hidden)]
#[macro_export]
macro_rules! __text {
    ($literal:literal) => {
        $crate::__private::Text::Static($literal)
    };
    ($expression:expr) => {
        (&&&$crate::__private::TextOf(&$expression)).text()
    };
}

/// Whether a value is an error, and which.
#[doc(hidden)]
#[macro_export]
macro_rules! __classify {
    ($value:expr, $closing:expr $(, expected: $expected:path)?) => {{
        #[allow(unused_imports, reason = "which of them is used depends on the value's type")]
        use $crate::__private::{
            ViaDebugged as _, ViaDisplayed as _, ViaErrorType as _, ViaResult as _, ViaSilent as _, ViaTypeName as _,
            ViaValue as _,
        };
        if let ::core::option::Option::Some(error) = (&$crate::__private::ValueOf($value)).error() {
            let expected = false $(|| $expected(error))?;
            if expected {
                $closing.expected();
            } else {
                let kind = (&$crate::__private::KindOf(error)).kind();
                $closing.error(kind, &(&&$crate::__private::MessageOf(error)).message());
            }
        }
    }};
}
