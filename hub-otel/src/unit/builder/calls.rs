//! Units that are calls: [`llm()`], [`retrieval()`] and [`tool()`].

use crate::budget::BudgetExceeded;
use crate::error_type::ErrorType;
use crate::gen_ai::LlmRequest;
use crate::semconv::gen_ai::{TOOL_CALL_ARGUMENTS, operation};
use crate::semconv::kv;
use crate::unit::admitted::{AdmittedFuture, AdmittedStream, admit_future, admit_stream};
use crate::unit::builder::Unit;
use crate::unit::identity::IdentityValue;
use crate::unit::instrumented::Instrumented;
use crate::unit::outcome::Classification;
use crate::unit::refusal::admit_result;
use crate::unit::stream::InstrumentedStream;
use crate::unit_kind::UnitKind;
use futures_core::Stream;
use std::fmt::Display;
use std::future::Future;

/// Describes one call of a model, for code without a function to annotate.
///
/// `provider` is the name of the GenAI conventions: `openai`, `anthropic`, `aws.bedrock`,
/// `gcp.gemini`. The span is named `chat {model}`, has the kind CLIENT and no metrics of agents.
/// Facts of the response are recorded by [`Current::usage`](crate::Current::usage) and
/// [`Current::response`](crate::Current::response).
///
/// ```
/// use hub_otel::{Usage, current};
///
/// # async fn request(prompt: &str) -> Result<String, std::io::Error> { Ok(prompt.to_owned()) }
/// # async fn example(prompt: &str) -> Result<String, std::io::Error> {
/// let answer = hub_otel::llm("openai", "gpt-4o")
///     .run(async {
///         let answer = request(prompt).await?;
///         current().usage(Usage::new(120, 35)).response("gpt-4o-2024-08-06", None, ["stop"]);
///         Ok::<_, std::io::Error>(answer)
///     })
///     .await?;
/// # Ok(answer) }
/// ```
pub fn llm(provider: impl Into<String>, model: impl Into<String>) -> Llm {
    Unit::new(UnitKind::Llm, |args| {
        args.provider(IdentityValue::Owned(provider.into()))
            .model(IdentityValue::Owned(model.into()))
            .operation(IdentityValue::Static(operation::CHAT))
    })
}

/// Describes one search in a data source, such as a vector database, for code without a function to
/// annotate. The span is named `retrieval {data_source}`.
///
/// ```
/// # async fn search(query: &str) -> std::io::Result<Vec<String>> { Ok(vec![query.to_owned()]) }
/// # async fn example(query: &str) -> Result<(), std::io::Error> {
/// let documents = hub_otel::retrieval("handbook").run(search(query)).await?;
/// # Ok(()) }
/// ```
pub fn retrieval(data_source: impl Into<String>) -> Llm {
    Unit::new(UnitKind::Llm, |args| {
        args.data_source(IdentityValue::Owned(data_source.into()))
            .operation(IdentityValue::Static(operation::RETRIEVAL))
    })
}

/// Describes one execution of a tool, for code without a function to annotate. The span is named
/// `execute_tool {name}`.
///
/// ```
/// # async fn search(query: &str) -> Result<String, std::io::Error> { Ok(query.to_owned()) }
/// # async fn example(call_id: &str, query: &str) -> Result<(), std::io::Error> {
/// let found = hub_otel::tool("search").call_id(call_id).run(search(query)).await?;
/// # Ok(()) }
/// ```
pub fn tool(name: impl Into<String>) -> Tool {
    Unit::new(UnitKind::Tool, |args| args.name(IdentityValue::Owned(name.into())))
}

/// Marks a [`Unit`] as a call of a model.
///
/// ```
/// use hub_otel::{LlmKind, Unit};
///
/// fn with_region(unit: Unit<LlmKind>) -> Unit<LlmKind> {
///     unit.field("region", "eu-west")
/// }
///
/// with_region(hub_otel::llm("openai", "gpt-4o")).call(|| ());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LlmKind;

/// Marks a [`Unit`] as an execution of a tool.
///
/// ```
/// use hub_otel::{ToolKind, Unit};
///
/// fn with_version(unit: Unit<ToolKind>) -> Unit<ToolKind> {
///     unit.field("version", 2)
/// }
///
/// with_version(hub_otel::tool("search")).call(|| ());
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ToolKind;

/// A call of a model, before it starts. See [`llm()`] and [`retrieval()`].
pub type Llm = Unit<LlmKind>;

/// An execution of a tool, before it starts. See [`tool()`].
pub type Tool = Unit<ToolKind>;

impl Unit<LlmKind> {
    /// Sets the operation: `chat` (the default), `embeddings`, `text_completion`,
    /// `generate_content`, … It is the first word of the span's name.
    pub fn operation(self, operation: impl Into<String>) -> Self {
        self.map(|args| args.operation(IdentityValue::Owned(operation.into())))
    }

    /// Sets the provider.
    pub fn provider(self, provider: impl Into<String>) -> Self {
        self.map(|args| args.provider(IdentityValue::Owned(provider.into())))
    }

    /// Sets the data source that a retrieval, or a model with documents, reads.
    pub fn data_source(self, id: impl Into<String>) -> Self {
        self.map(|args| args.data_source(IdentityValue::Owned(id.into())))
    }

    /// Sets parameters of the request.
    pub fn request(mut self, request: LlmRequest) -> Self {
        if self.args.is_some() {
            self.fields.extend(request.into_attributes());
        }
        self
    }
}

mod sealed {
    pub trait CallUnit {}
    impl CallUnit for super::LlmKind {}
    impl CallUnit for super::ToolKind {}
}

impl<K: sealed::CallUnit> Unit<K> {
    /// Runs `future` as this unit, unless the budget of the run is exceeded: the future is then
    /// dropped without a poll, and the unit fails with [`BudgetExceeded`].
    ///
    /// [`run`](Self::run) makes the call in any case, and charges it to the budget.
    ///
    /// ```
    /// # async fn request() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// # async fn example() -> Result<(), std::io::Error> {
    /// let answer = hub_otel::llm("openai", "gpt-4o").run_in_budget(request()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancellation
    /// A future that is dropped before completion ends the unit CANCELLED.
    #[expect(clippy::type_complexity, reason = "the type of `run`, around the check")]
    pub fn run_in_budget<F, T, E>(
        self,
        future: F,
    ) -> Instrumented<AdmittedFuture<F>, fn(&Result<T, E>, &mut Classification)>
    where
        F: Future<Output = Result<T, E>>,
        E: From<BudgetExceeded> + ErrorType + Display,
    {
        self.run(admit_future(future, Some(admit_result)))
    }

    /// Runs `stream` as this unit, unless the budget of the run is exceeded: the stream is then
    /// dropped without a poll, its only item is the error, and the unit fails with
    /// [`BudgetExceeded`].
    ///
    /// [`run_stream`](Self::run_stream) makes the call in any case, and charges it to the budget.
    ///
    /// ```
    /// # use futures_util::{TryStreamExt, stream};
    /// # async fn example() -> Result<(), std::io::Error> {
    /// # let words = stream::iter([Ok::<_, std::io::Error>("a"), Ok("b")]);
    /// let answer = hub_otel::llm("openai", "gpt-4o").run_stream_in_budget(words);
    /// let text: String = answer.try_collect().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancellation
    /// A stream that is dropped before its end ends the unit CANCELLED, unless an item was an
    /// error.
    #[expect(clippy::type_complexity, reason = "the type of `run_stream`, around the check")]
    pub fn run_stream_in_budget<S, T, E>(
        self,
        stream: S,
    ) -> InstrumentedStream<AdmittedStream<S>, fn(&Result<T, E>, &mut Classification)>
    where
        S: Stream<Item = Result<T, E>>,
        E: From<BudgetExceeded> + ErrorType + Display,
    {
        self.run_stream(admit_stream(Some(stream), Some(admit_result)))
    }
}

impl Unit<ToolKind> {
    /// Sets the id of the call, as the model issued it.
    pub fn call_id(self, id: impl Into<String>) -> Self {
        self.map(|args| args.call_id(IdentityValue::Owned(id.into())))
    }

    /// Sets the arguments of the call, as JSON. Recorded by consent only:
    /// [`Current::input_messages`](crate::Current::input_messages).
    ///
    /// ```
    /// # fn search() {}
    /// hub_otel::tool("search").arguments(r#"{"query":"heron"}"#).call(search);
    /// ```
    pub fn arguments(mut self, json: impl Into<String>) -> Self {
        if self.args.is_some() {
            self.fields.push(kv(TOOL_CALL_ARGUMENTS, json.into()));
        }
        self
    }
}
