//! GenAI attributes of workflows and agents, and the kinds that backends derive from them.

use hub_otel::testing::{Settings, Span, Spans};
use hub_otel::{Usage, agent, current, llm, retrieval, tool, workflow};

/// A run with a unit of each kind.
fn run(settings: Settings) -> Spans {
    let capture = settings.capture();
    let call = || {
        current().usage(Usage::new(7, 2));
    };
    workflow("support").conversation("c-1").call(|| {
        agent("answerer", "answer").name("Answerer").call(|| {
            llm("openai", "gpt-4o").call(call);
            llm("openai", "text-embedding-3-small").operation("embeddings").call(|| ());
            retrieval("handbook").call(|| ());
            tool("search").call(|| ());
        });
    });
    capture.conformance().unwrap();
    capture.spans()
}

/// The spans with their GenAI attributes, without those of calls.
fn attributes(settings: Settings) -> String {
    let spans = run(settings).filter(|span| !span.text("hub_otel.status").contains("SUCCESS"));
    spans.render(|span| {
        let gen_ai = span.attributes.iter().filter(|(key, _)| key.starts_with("gen_ai."));
        let gen_ai: Vec<_> = gen_ai.map(|(key, value)| format!("{key}={value}")).collect();
        format!("{}: {}", span.name, gen_ai.join(" "))
    })
}

#[test]
fn the_chosen_names_of_the_conventions_are_set() {
    insta::assert_snapshot!(attributes(Settings::new().gen_ai()), @r"
    workflow.execute: gen_ai.conversation.id=c-1 gen_ai.operation.name=invoke_workflow gen_ai.workflow.name=support
      agent.execute: gen_ai.agent.name=Answerer gen_ai.conversation.id=c-1 gen_ai.operation.name=invoke_agent
    ");
    insta::assert_snapshot!(attributes(Settings::new().gen_ai().latest_gen_ai(false)), @r"
    workflow.execute: gen_ai.agent.name=support gen_ai.conversation.id=c-1 gen_ai.operation.name=invoke_workflow
      agent.execute: gen_ai.agent.name=Answerer gen_ai.conversation.id=c-1 gen_ai.operation.name=invoke_agent
    ");
    insta::assert_snapshot!(attributes(Settings::new().gen_ai().latest_gen_ai(true)), @r"
    workflow.execute: gen_ai.agent.name=support gen_ai.conversation.id=c-1 gen_ai.operation.name=invoke_workflow gen_ai.workflow.name=support
      agent.execute: gen_ai.agent.id=answerer gen_ai.agent.name=Answerer gen_ai.conversation.id=c-1 gen_ai.operation.name=invoke_agent
    ");
}

#[test]
fn the_cache_is_written_under_the_chosen_name() {
    let keys = |settings: Settings| {
        let capture = settings.capture();
        llm("anthropic", "claude").call(|| {
            current().usage(Usage::new(100, 5).cache_write(64));
        });
        let span = capture.spans().iter().next().unwrap().clone();
        let keys = span.attributes.into_keys().filter(|key| key.contains("cache_"));
        keys.collect::<Vec<_>>()
    };
    let (created, written) =
        ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens");
    assert_eq!(keys(Settings::new()), [created]);
    assert_eq!(keys(Settings::new().latest_gen_ai(false)), [written]);
    assert_eq!(keys(Settings::new().latest_gen_ai(true)), [created, written]);
}

#[test]
fn the_span_of_an_agent_is_named_by_the_conventions_on_request() {
    let named = run(Settings::new().invoke_agent_names());
    assert_eq!(named.named("invoke_agent Answerer").len(), 1);
    assert_eq!(named.named("workflow.execute").len(), 1);
    assert_eq!(run(Settings::new()).named("agent.execute").len(), 1);
}

/// Rules of Langfuse ("OpenTelemetry property mapping"): the kind of OpenInference, then the
/// operation.
fn kind_in_langfuse(span: &Span) -> &'static str {
    match span.text("openinference.span.kind").as_str() {
        "CHAIN" => return "chain",
        "AGENT" => return "agent",
        "LLM" => return "generation",
        "EMBEDDING" => return "embedding",
        "RETRIEVER" => return "retriever",
        "TOOL" => return "tool",
        _ => {}
    }
    match span.text("gen_ai.operation.name").as_str() {
        "chat" | "completion" | "text_completion" | "generate_content" => "generation",
        "embeddings" => "embedding",
        "invoke_agent" | "create_agent" => "agent",
        "execute_tool" => "tool",
        _ => "span",
    }
}

/// Rule of Phoenix: the kind of OpenInference.
fn kind_in_phoenix(span: &Span) -> String {
    span.text("openinference.span.kind")
}

/// Rule of the Aspire dashboard: a GenAI span names a provider or an operation.
fn is_gen_ai_in_aspire(span: &Span) -> bool {
    ["gen_ai.provider.name", "gen_ai.system", "gen_ai.operation.name"]
        .iter()
        .any(|key| span.attributes.contains_key(*key))
}

/// Rule of Honeycomb's agent view: conversation and operation.
fn is_in_agent_view_of_honeycomb(span: &Span) -> bool {
    ["gen_ai.conversation.id", "gen_ai.operation.name"]
        .iter()
        .all(|key| span.attributes.contains_key(*key))
}

#[test]
fn backends_derive_the_kind_of_each_unit() {
    let plain = run(Settings::new().gen_ai());
    insta::assert_snapshot!(plain.render(|span| {
        format!("{}: {}", span.name, kind_in_langfuse(span))
    }), @r"
    workflow.execute: span
      agent.execute: agent
        chat gpt-4o: generation
        embeddings text-embedding-3-small: embedding
        retrieval handbook: span
        execute_tool search: tool
    ");
    let with_kinds = run(Settings::new().gen_ai().openinference());
    insta::assert_snapshot!(with_kinds.render(|span| {
        format!("{}: {} {}", span.name, kind_in_langfuse(span), kind_in_phoenix(span))
    }), @r"
    workflow.execute: chain CHAIN
      agent.execute: agent AGENT
        chat gpt-4o: generation LLM
        embeddings text-embedding-3-small: embedding EMBEDDING
        retrieval handbook: retriever RETRIEVER
        execute_tool search: tool TOOL
    ");
    assert!(plain.iter().all(is_gen_ai_in_aspire));
    assert!(plain.iter().all(is_in_agent_view_of_honeycomb));
}

#[test]
fn only_calls_of_models_have_tokens() {
    // Backends add up the tokens of a trace: those of an agent would count twice.
    for span in &run(Settings::new().gen_ai()) {
        let has_tokens = span.attributes.keys().any(|key| key.starts_with("gen_ai.usage."));
        assert_eq!(has_tokens, span.name == "chat gpt-4o", "{}", span.name);
    }
}
