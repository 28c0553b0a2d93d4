//! Attributes of the whole run.

use crate::semconv::attribute::SESSION_ID;
use crate::semconv::gen_ai::CONVERSATION_ID;
use crate::unit::current::Current;
use crate::unit::run_attributes::RunAttributes;
use opentelemetry::Key;
use std::borrow::Cow;

/// Attributes of a run: set once, on this unit and on every unit, call of a model and tool that
/// starts below it later, also in spawned tasks, in the next segment of the run, and in processes
/// that receive the run.
impl Current {
    /// Sets the conversation that the run belongs to: `gen_ai.conversation.id`.
    ///
    /// An id of the application or of the provider. Never invented by hub-otel: without a call no
    /// span has one.
    ///
    /// ```
    /// #[hub_otel::instrument_workflow]
    /// async fn answer(thread: &str, question: &str) {
    ///     hub_otel::current().conversation(thread);
    ///     // … every agent, call of a model and tool below has the id …
    /// }
    /// ```
    pub fn conversation(&self, id: impl AsRef<str>) -> &Self {
        self.run_attribute(CONVERSATION_ID, id)
    }

    /// Sets the session of the user: `session.id`.
    pub fn session(&self, id: impl AsRef<str>) -> &Self {
        self.run_attribute(SESSION_ID, id)
    }

    /// Sets an attribute of the run, such as the tenant. The value is text of up to 256 bytes; an
    /// empty one is ignored. A run has up to 16 such attributes.
    ///
    /// ```
    /// hub_otel::current().run_attribute("tenant.id", "acme");
    /// ```
    pub fn run_attribute(
        &self,
        key: impl Into<Cow<'static, str>>,
        value: impl AsRef<str>,
    ) -> &Self {
        if let Some(mut late) = self.unit.as_ref().and_then(|unit| unit.change_late()) {
            let set =
                RunAttributes::set(&mut late.run_attributes, Key::from(key.into()), value.as_ref());
            drop(late);
            if let Some(attribute) = set {
                self.change_span(|span, limits| span.set_attribute(attribute, limits));
            }
        }
        self
    }
}
