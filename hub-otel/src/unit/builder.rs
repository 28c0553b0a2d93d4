//! What the builders of workflows and agents share.

use crate::instance;
use crate::label::LabelValue;
use crate::unit::arguments::Opening;
use crate::unit::attribute_value::Field;
use crate::unit::instrumented::{Run, run_inside};
use crate::unit::outcome::{Classification, Outcome};
use crate::unit_kind::UnitKind;

use opentelemetry::Key;
use opentelemetry::KeyValue;
use std::borrow::Cow;
use std::future::Future;

/// A unit that is being described; empty where nothing records.
pub(crate) struct Draft {
    pub(crate) opening: Option<Opening<'static>>,
    pub(crate) labels: Vec<(&'static str, LabelValue)>,
    pub(crate) fields: Vec<KeyValue>,
}

impl Draft {
    pub(crate) fn new(kind: UnitKind) -> Self {
        let opening = instance::in_use().then(|| Opening::bare(kind));
        Self { opening, labels: Vec::new(), fields: Vec::new() }
    }

    pub(crate) fn map(&mut self, change: impl FnOnce(Opening<'static>) -> Opening<'static>) {
        self.opening = self.opening.take().map(change);
    }

    pub(crate) fn field(&mut self, key: Cow<'static, str>, value: impl Field) {
        if self.opening.is_some()
            && let Some(value) = value.value()
        {
            self.fields.push(crate::semconv::kv(Key::from(key), value));
        }
    }

    pub(crate) fn run<F, C>(self, future: F, classify: C) -> Run<F, C>
    where
        F: Future,
        C: Fn(&F::Output, &mut Classification),
    {
        let Self { opening, labels, fields } = self;
        run_inside(opening.map(|opening| opening.owning(labels).with(fields)), future, classify)
    }

    pub(crate) fn call<T>(
        self,
        body: impl FnOnce() -> T,
        classify: impl FnOnce(&T, &mut Classification),
    ) -> T {
        let Self { opening, labels, fields } = self;
        crate::unit::instrumented::call_inside(
            opening.map(|opening| opening.owning(labels).with(fields)),
            body,
            classify,
        )
    }
}

/// How a value is judged by its [`Outcome`].
pub(crate) fn judge<T: Outcome>(value: &T, closing: &mut Classification) {
    value.close(closing);
}

/// The methods that both builders have.
macro_rules! common {
    () => {
        /// Identifies the run; made up where it is not given.
        pub fn run_id(mut self, run_id: impl Into<String>) -> Self {
            self.draft.map(|opening| opening.run_id(Text::Owned(run_id.into())));
            self
        }

        /// The name for people.
        pub fn name(mut self, name: impl Into<String>) -> Self {
            self.draft.map(|opening| opening.name(Text::Owned(name.into())));
            self
        }

        /// A span attribute.
        pub fn field(mut self, key: impl Into<Cow<'static, str>>, value: impl Field) -> Self {
            self.draft.field(key.into(), value);
            self
        }

        /// An extra label of the runs counter and the duration.
        pub fn label(mut self, key: &'static str, value: impl Label) -> Self {
            self.draft.labels.push((key, value.label()));
            self
        }

        /// The parent, where it is not the active span: a context that was [extracted](crate::propagation::extract).
        pub fn parent(mut self, parent: impl Parent) -> Self {
            self.draft.map(|opening| opening.parent(parent));
            self
        }

        /// Begins a trace of its own, linked to the active span.
        pub fn root(mut self) -> Self {
            self.draft.map(Opening::root);
            self
        }

        /// Links to other spans.
        pub fn links(mut self, links: impl IntoIterator<Item = SpanContext>) -> Self {
            self.draft.map(|opening| opening.links(links));
            self
        }

        /// Another span kind than INTERNAL: CONSUMER for a unit that a message broker started.
        pub fn kind(mut self, kind: SpanKind) -> Self {
            self.draft.map(|opening| opening.span_kind(kind));
            self
        }

        /// GenAI attributes on this span.
        pub fn gen_ai(mut self) -> Self {
            self.draft.map(Opening::gen_ai);
            self
        }

        /// Runs `future` as this unit. Its `Result` says whether it failed, and its error, an
        /// [`ErrorType`](crate::ErrorType), which failure it was and whether a deadline passed. For a foreign error, and
        /// for other values: [`run_with`](Self::run_with).
        ///
        /// # Cancellation
        /// A future that is dropped before it finished ends the unit CANCELLED.
        pub fn run<F>(self, future: F) -> Run<F, fn(&F::Output, &mut Classification)>
        where
            F: Future,
            F::Output: Outcome,
        {
            self.draft.run(future, judge::<F::Output>)
        }

        /// Runs `future` as this unit; `judge` says what its value means.
        ///
        /// ```
        /// # use std::fmt::Error as Foreign;
        /// # async fn ask() -> Result<Option<String>, Foreign> { Ok(None) }
        /// # async fn example() -> Result<Option<String>, Foreign> {
        /// use hub_otel::UnitStatus;
        ///
        /// let judge = |result: &Result<Option<String>, Foreign>, unit: &mut hub_otel::Classification| match result {
        ///     Ok(None) => unit.status(Status::Rejected),
        ///     result => unit.by_error_type(result),
        /// };
        /// hub_otel::workflow("release").run_with(ask(), judge).await
        /// # }
        /// ```
        ///
        /// # Cancellation
        /// A future that is dropped before it finished ends the unit CANCELLED.
        pub fn run_with<F, C>(self, future: F, judge: C) -> Run<F, C>
        where
            F: Future,
            C: Fn(&F::Output, &mut Classification),
        {
            self.draft.run(future, judge)
        }

        /// Runs `body`, which is not async, as this unit.
        pub fn call<T: Outcome>(self, body: impl FnOnce() -> T) -> T {
            self.draft.call(body, judge::<T>)
        }

        /// Runs `body`, which is not async, as this unit; `judge` says what its value means.
        pub fn call_with<T>(
            self,
            body: impl FnOnce() -> T,
            judge: impl FnOnce(&T, &mut Classification),
        ) -> T {
            self.draft.call(body, judge)
        }
    };
}

pub(crate) use common;

/// So that both builders import one list.
pub(crate) mod prelude {
    pub(crate) use crate::label::Label;
    pub(crate) use crate::unit::arguments::Opening;
    pub(crate) use crate::unit::attribute_value::Field;
    pub(crate) use crate::unit::builder::{Draft, common, judge};
    pub(crate) use crate::unit::identity::Text;
    pub(crate) use crate::unit::instrumented::Run;
    pub(crate) use crate::unit::outcome::{Classification, Outcome};
    pub(crate) use crate::unit::parent::Parent;
    pub(crate) use opentelemetry::trace::SpanContext;
    pub(crate) use opentelemetry::trace::SpanKind;
    pub(crate) use std::borrow::Cow;
    pub(crate) use std::future::Future;
}
