//! Attributes of the GenAI semantic conventions, which are in development: a name may still change.
//!
//! The keys are spelled here because the conventions crate contains them only as deprecated items.
//! They are those of [`VERSION`]. `tests/contract` compares key, type and level of each with the
//! registry.

/// Kind of a span in the OpenInference conventions, which Langfuse and Phoenix read: a value of
/// [`openinference`].
pub const OPENINFERENCE_SPAN_KIND: &str = "openinference.span.kind";

/// Source of the names: `open-telemetry/semantic-conventions-genai` at this commit. The released
/// names are those of `open-telemetry/semantic-conventions` 1.41.
pub const VERSION: &str = "002c8a6ea1c8a42b14a4527db83b3cabcded610a";

/// Operation: a value of [`operation`].
pub const OPERATION_NAME: &str = "gen_ai.operation.name";
/// Display name of the agent.
pub const AGENT_NAME: &str = "gen_ai.agent.name";
/// Id of the agent.
pub const AGENT_ID: &str = "gen_ai.agent.id";
/// Name of the workflow.
pub const WORKFLOW_NAME: &str = "gen_ai.workflow.name";
/// Conversation, session or thread that the operation belongs to.
pub const CONVERSATION_ID: &str = "gen_ai.conversation.id";

/// Provider, as the client identifies it: `openai`, `anthropic`, `aws.bedrock`.
pub const PROVIDER_NAME: &str = "gen_ai.provider.name";
/// Provider in conventions before 1.37.
pub const SYSTEM: &str = "gen_ai.system";
/// Source of the documents that a retrieval returns.
pub const DATA_SOURCE_ID: &str = "gen_ai.data_source.id";

/// Model that was requested.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Largest number of tokens to generate.
pub const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
/// Number of responses to generate, if it is not 1.
pub const REQUEST_CHOICE_COUNT: &str = "gen_ai.request.choice.count";
/// Sampling temperature.
pub const REQUEST_TEMPERATURE: &str = "gen_ai.request.temperature";
/// Share of the probability that tokens are sampled from.
pub const REQUEST_TOP_P: &str = "gen_ai.request.top_p";
/// Number of tokens that are sampled from.
pub const REQUEST_TOP_K: &str = "gen_ai.request.top_k";
/// Sequences that end the generation.
pub const REQUEST_STOP_SEQUENCES: &str = "gen_ai.request.stop_sequences";
/// Penalty for frequent tokens.
pub const REQUEST_FREQUENCY_PENALTY: &str = "gen_ai.request.frequency_penalty";
/// Penalty for tokens that occurred.
pub const REQUEST_PRESENCE_PENALTY: &str = "gen_ai.request.presence_penalty";
/// Seed of the sampling.
pub const REQUEST_SEED: &str = "gen_ai.request.seed";
/// `true` if the response was streamed.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// Encodings of requested embeddings.
pub const REQUEST_ENCODING_FORMATS: &str = "gen_ai.request.encoding_formats";
/// Dimensions of requested embeddings.
pub const EMBEDDINGS_DIMENSION_COUNT: &str = "gen_ai.embeddings.dimension.count";
/// Type of the requested output: `text`, `json`, `image` or `speech`.
pub const OUTPUT_TYPE: &str = "gen_ai.output.type";

/// Model that generated the response.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// Id of the response.
pub const RESPONSE_ID: &str = "gen_ai.response.id";
/// Reasons of the end of the generation, one per choice.
pub const RESPONSE_FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Time from the request to the first chunk of a streamed response, in seconds.
pub const RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";

/// Input tokens, cached ones included.
pub const USAGE_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Output tokens, reasoning included.
pub const USAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Input tokens that were read from the provider's cache.
pub const USAGE_CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Input tokens that were written to the provider's cache.
pub const USAGE_CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write.input_tokens";
/// Name of [`USAGE_CACHE_WRITE_TOKENS`] in the conventions up to 1.41.
pub const USAGE_CACHE_CREATION_TOKENS: &str = "gen_ai.usage.cache_creation.input_tokens";
/// Output tokens that were used for reasoning.
pub const USAGE_REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
/// Name of [`USAGE_REASONING_TOKENS`] that rig uses.
pub const USAGE_REASONING_TOKENS_RIG: &str = "gen_ai.usage.reasoning_tokens";

/// Name of the executed tool.
pub const TOOL_NAME: &str = "gen_ai.tool.name";
/// Id of the call of a tool, as the model issued it.
pub const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";

/// Messages of the request, as JSON. By consent only, like all of [`CONTENT`].
pub const INPUT_MESSAGES: &str = "gen_ai.input.messages";
/// Messages of the response, as JSON.
pub const OUTPUT_MESSAGES: &str = "gen_ai.output.messages";
/// Instructions that are no message, as JSON.
pub const SYSTEM_INSTRUCTIONS: &str = "gen_ai.system_instructions";
/// Arguments of a call of a tool, as JSON.
pub const TOOL_CALL_ARGUMENTS: &str = "gen_ai.tool.call.arguments";
/// Result of a call of a tool, as JSON or text.
pub const TOOL_CALL_RESULT: &str = "gen_ai.tool.call.result";

/// Messages of the request in conventions before 1.37.
pub const PROMPT: &str = "gen_ai.prompt";
/// Messages of the response in conventions before 1.37.
pub const COMPLETION: &str = "gen_ai.completion";

/// Attributes with content, which are recorded by consent only. Those that the library does not set
/// are set by other libraries.
pub const CONTENT: [&str; 13] = [
    INPUT_MESSAGES,
    OUTPUT_MESSAGES,
    SYSTEM_INSTRUCTIONS,
    TOOL_CALL_ARGUMENTS,
    TOOL_CALL_RESULT,
    "gen_ai.tool.definitions",
    "gen_ai.retrieval.documents",
    "gen_ai.retrieval.query.text",
    "gen_ai.memory.records",
    PROMPT,
    COMPLETION,
    "gen_ai.content.prompt",
    "gen_ai.content.completion",
];

/// Roles of messages.
pub mod role {
    /// Instructions.
    pub const SYSTEM: &str = "system";
    /// The person or the program that calls the model.
    pub const USER: &str = "user";
    /// The model.
    pub const ASSISTANT: &str = "assistant";
    /// The result of a tool.
    pub const TOOL: &str = "tool";
}

/// Type of the counted tokens: a value of [`token_type`].
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// Cache state of the counted tokens.
pub const TOKEN_CACHE: &str = "gen_ai.token.cache";
/// Phase of the generation that the counted tokens belong to.
pub const TOKEN_PHASE: &str = "gen_ai.token.phase";
/// Modality of the counted tokens.
pub const TOKEN_MODALITY: &str = "gen_ai.token.modality";

/// Values of [`OPERATION_NAME`].
pub mod operation {
    /// Run of a workflow.
    pub const INVOKE_WORKFLOW: &str = "invoke_workflow";
    /// Execution of an agent.
    pub const INVOKE_AGENT: &str = "invoke_agent";
    /// Chat completion. Default of a call of a model.
    pub const CHAT: &str = "chat";
    /// Generation of content of several modalities.
    pub const GENERATE_CONTENT: &str = "generate_content";
    /// Text completion.
    pub const TEXT_COMPLETION: &str = "text_completion";
    /// Embeddings. No inference: the latest conventions name its metrics differently.
    pub const EMBEDDINGS: &str = "embeddings";
    /// Search in a data source. No call of a model.
    pub const RETRIEVAL: &str = "retrieval";
    /// Execution of a tool. No call of a model.
    pub const EXECUTE_TOOL: &str = "execute_tool";

    /// Inference. With embeddings the operations that are counted.
    pub const INFERENCE: [&str; 3] = [CHAT, GENERATE_CONTENT, TEXT_COMPLETION];
}

/// Cost of a call, in US dollars. Not in the conventions: the key that Langfuse and others read.
pub const USAGE_COST: &str = "gen_ai.usage.cost";

/// Values of [`PROVIDER_NAME`] that the library sets, or that price tables name differently.
pub mod provider {
    /// OpenAI, and any server that is compatible to it.
    pub const OPENAI: &str = "openai";
    /// Azure OpenAI.
    pub const AZURE_OPENAI: &str = "azure.ai.openai";
    /// Azure AI Inference.
    pub const AZURE_INFERENCE: &str = "azure.ai.inference";
    /// Any endpoint of Google.
    pub const GCP_GEN_AI: &str = "gcp.gen_ai";
    /// Gemini by AI Studio.
    pub const GEMINI: &str = "gcp.gemini";
    /// xAI.
    pub const X_AI: &str = "x_ai";
    /// Anthropic.
    pub const ANTHROPIC: &str = "anthropic";
    /// DeepSeek.
    pub const DEEPSEEK: &str = "deepseek";
    /// Groq.
    pub const GROQ: &str = "groq";
    /// Mistral AI.
    pub const MISTRAL: &str = "mistral_ai";
    /// Perplexity.
    pub const PERPLEXITY: &str = "perplexity";
    /// Cohere.
    pub const COHERE: &str = "cohere";
    /// Moonshot AI.
    pub const MOONSHOT_AI: &str = "moonshot_ai";
    /// OpenRouter. Like the next ones not in the conventions: the name in genai-prices.
    pub const OPENROUTER: &str = "openrouter";
    /// Together AI.
    pub const TOGETHER: &str = "together";
    /// Fireworks AI.
    pub const FIREWORKS: &str = "fireworks";
    /// Cerebras.
    pub const CEREBRAS: &str = "cerebras";
}

/// Final statuses of OpenAI's responses API, which has them in place of finish reasons: values of
/// [`RESPONSE_FINISH_REASONS`].
pub const FINAL_STATUSES: [&str; 3] = ["completed", "incomplete", "failed"];

/// API of OpenAI: a value of [`api_type`]. Like the next ones of the conventions for OpenAI.
pub const OPENAI_API_TYPE: &str = "openai.api.type";
/// Service tier that was requested.
pub const OPENAI_REQUEST_SERVICE_TIER: &str = "openai.request.service_tier";
/// Service tier that was used.
pub const OPENAI_RESPONSE_SERVICE_TIER: &str = "openai.response.service_tier";
/// Version of the provider's environment.
pub const OPENAI_RESPONSE_SYSTEM_FINGERPRINT: &str = "openai.response.system_fingerprint";

/// Values of [`OPENAI_API_TYPE`].
pub mod api_type {
    /// Chat completions.
    pub const CHAT_COMPLETIONS: &str = "chat_completions";
    /// Responses.
    pub const RESPONSES: &str = "responses";
}

/// Values of [`OUTPUT_TYPE`] that the library sets.
pub mod output_type {
    /// Text.
    pub const TEXT: &str = "text";
    /// JSON, with or without a schema.
    pub const JSON: &str = "json";
}

/// Values of [`TOKEN_TYPE`].
pub mod token_type {
    /// Input tokens.
    pub const INPUT: &str = "input";
    /// Output tokens.
    pub const OUTPUT: &str = "output";
}

/// Values of [`TOKEN_MODALITY`].
pub mod modality {
    /// The provider does not break its usage down.
    pub const UNKNOWN: &str = "unknown";
}

/// Values of OTEL_SEMCONV_STABILITY_OPT_IN.
pub mod opt_in {
    /// The latest GenAI conventions in place of the released ones.
    pub const LATEST: &str = "gen_ai_latest_experimental";
    /// Both.
    pub const BOTH: &str = "gen_ai/dup";
}

/// Values of [`OPENINFERENCE_SPAN_KIND`].
pub mod openinference {
    /// A workflow.
    pub const CHAIN: &str = "CHAIN";
    /// An agent.
    pub const AGENT: &str = "AGENT";
    /// A call of a model.
    pub const LLM: &str = "LLM";
    /// A call of a model for embeddings.
    pub const EMBEDDING: &str = "EMBEDDING";
    /// A search in a data source.
    pub const RETRIEVER: &str = "RETRIEVER";
    /// An execution of a tool.
    pub const TOOL: &str = "TOOL";
}
