//! Facts of a call of a model that arrive while it runs.

use crate::gen_ai::{LlmRequest, Usage};
use crate::semconv::SCOPE;
use crate::shared_str::share_str;
use crate::unit::call::{self, Call};
use crate::unit::current::Current;
use crate::unit_kind::UnitKind;
use std::sync::Once;

/// Facts of a call of a model: a function with `#[instrument_llm]`, or [`llm()`](crate::llm()).
/// Elsewhere they are not recorded, and the first one logs a warning: an agent has no tokens of its
/// own, because backends add up those of its calls.
impl Current {
    /// Sets the tokens of the call. A later report replaces the numbers that it contains, as at the
    /// end of a stream.
    ///
    /// ```
    /// use hub_otel::Usage;
    ///
    /// # struct Response { prompt_tokens: u64, completion_tokens: u64, cached_tokens: u64 }
    /// # async fn request() -> Result<Response, std::io::Error> { unimplemented!() }
    /// #[hub_otel::instrument_llm(provider = "openai", model = "gpt-4o")]
    /// async fn complete(question: &str) -> Result<Response, std::io::Error> {
    ///     let response = request().await?;
    ///     let usage = Usage::new(response.prompt_tokens, response.completion_tokens)
    ///         .cache_read(response.cached_tokens);
    ///     hub_otel::current().usage(usage);
    ///     Ok(response)
    /// }
    /// ```
    pub fn usage(&self, usage: Usage) -> &Self {
        self.change_call("usage", |call| call.usage.merge(usage))
    }

    /// Sets the cost of the call in US dollars, as the provider reported it. Otherwise the prices
    /// of the application and the price table apply.
    ///
    /// ```
    /// // OpenRouter reports the cost in its usage.
    /// hub_otel::current().reported_cost(0.000_42);
    /// ```
    pub fn reported_cost(&self, dollars: f64) -> &Self {
        self.change_call("reported_cost", |call| call.cost = Some(dollars))
    }

    /// Sets the model that responded, the id of the response, and the reasons of its end, one per
    /// choice. `None` leaves a fact as it is.
    ///
    /// ```
    /// hub_otel::current().response("gpt-4o-2024-08-06", "chatcmpl-1", ["stop"]);
    /// hub_otel::current().response("gpt-4o-2024-08-06", None, None::<&str>);
    /// ```
    pub fn response<'a, S: AsRef<str>>(
        &self,
        model: impl Into<Option<&'a str>>,
        id: impl Into<Option<&'a str>>,
        finish_reasons: impl IntoIterator<Item = S>,
    ) -> &Self {
        if self.unit.is_none() {
            return self;
        }
        // Before the state is locked: the iterator is user code.
        let finish_reasons = call::share_all(finish_reasons);
        let (model, id) = (model.into(), id.into());
        self.change_call("response", |call| {
            if let Some(model) = model {
                call.response_model = Some(share_str(model));
            }
            if let Some(id) = id {
                call.response_id = Some(share_str(id));
            }
            if !finish_reasons.is_empty() {
                call.finish_reasons = finish_reasons;
            }
        })
    }

    /// Sets the time of the first chunk of a streamed response to now. Later calls have no effect.
    ///
    /// A unit that is a stream does this by its first item.
    pub fn first_chunk(&self) -> &Self {
        let elapsed = self.unit.as_ref().map(|unit| unit.started.elapsed());
        self.change_call("first_chunk", |call| {
            call.is_streamed = true;
            call.first_chunk = call.first_chunk.or(elapsed);
        })
    }

    /// Sets parameters of the request.
    ///
    /// ```
    /// use hub_otel::LlmRequest;
    ///
    /// hub_otel::current().request(LlmRequest::new().temperature(0.2).max_tokens(512));
    /// ```
    pub fn request(&self, request: LlmRequest) -> &Self {
        let Some(unit) = &self.unit else { return self };
        if unit.kind != UnitKind::Llm {
            misplaced("request");
        } else if self.is_recording() {
            let attributes = request.into_attributes();
            self.change_span(|span, limits| {
                attributes.into_iter().for_each(|late| span.set_attribute(late, limits));
            });
        }
        self
    }

    fn change_call(&self, fact: &str, change: impl FnOnce(&mut Call)) -> &Self {
        if let Some(unit) = &self.unit {
            if unit.kind != UnitKind::Llm {
                misplaced(fact);
            } else if let Some(call) =
                unit.change_late().as_mut().and_then(|late| late.call.as_mut())
            {
                change(call);
            }
        }
        self
    }

    /// Returns the agent or workflow that makes the call. `None` if the unit is no call.
    pub(super) fn owner_of_call(&self) -> Option<Self> {
        let late = self.unit.as_ref().filter(|unit| !unit.kind.is_counted())?.late();
        let owner = late.call.as_ref()?.owner()?;
        Some(Self { unit: Some(owner.clone()) })
    }
}

/// Reports a fact that belongs to another unit, once.
#[cold]
fn misplaced(fact: &str) {
    static REPORTED: Once = Once::new();
    REPORTED.call_once(|| {
        tracing::warn!(
            target: SCOPE,
            "`{fact}` was called in a unit that is no call of a model, and is not recorded: annotate the function \
             that makes the call with `#[hub_otel::instrument_llm]`, or wrap it in `hub_otel::llm`"
        );
    });
}
