//! The GenAI attributes against the registry of the conventions: keys, types and levels.

use hub_otel::semconv::{AttributeType, RequirementLevel, SPANS, gen_ai, span};
use std::collections::{HashMap, HashSet};

const REGISTRY: &str = include_str!("gen_ai_registry.txt");

/// The words of the lines of one kind.
fn lines(kind: &str) -> impl Iterator<Item = Vec<&'static str>> {
    REGISTRY
        .lines()
        .filter_map(move |line| line.strip_prefix(kind)?.strip_prefix(' '))
        .map(|line| line.split(' ').collect())
}

/// Types by key, those of later names included.
fn types() -> HashMap<&'static str, &'static str> {
    let keys = lines("key").chain(lines("own"));
    let mut types: HashMap<_, _> = keys.map(|words| (words[0], words[1])).collect();
    for words in lines("renamed") {
        types.insert(words[1], types[words[0]]);
    }
    types
}

/// The operations of a span of the contract.
fn operations(name: &str) -> &'static [&'static str] {
    match name {
        span::WORKFLOW_EXECUTE => &["invoke_workflow"],
        span::AGENT_EXECUTE => &["invoke_agent"],
        span::INFERENCE => &["inference", "embeddings", "retrieval"],
        span::EXECUTE_TOOL => &["execute_tool"],
        _ => &[],
    }
}

#[test]
fn the_data_is_of_the_version_of_the_contract() {
    assert!(REGISTRY.contains(gen_ai::VERSION));
}

#[test]
fn every_gen_ai_attribute_has_the_type_of_the_registry() {
    let types = types();
    let attributes = SPANS.iter().flat_map(|span| span.attributes);
    for attribute in attributes.filter(|attribute| attribute.key.starts_with("gen_ai.")) {
        let name = match attribute.value {
            AttributeType::String => "string",
            AttributeType::Int => "int",
            AttributeType::Bool => "bool",
            AttributeType::Double => "double",
            AttributeType::Strings => "string[]",
        };
        // Structured values are JSON on spans, until SDKs have such attributes.
        let is_json = name == "string" && types.get(attribute.key) == Some(&"any");
        assert!(is_json || types.get(attribute.key) == Some(&name), "{}", attribute.key);
    }
}

#[test]
fn every_gen_ai_attribute_belongs_to_its_span_and_required_ones_are_always_set() {
    let renamed: HashMap<_, _> = lines("renamed").map(|words| (words[1], words[0])).collect();
    for span in SPANS {
        let operations = operations(span.name);
        let levels: HashMap<_, _> = lines("span")
            .filter(|words| operations.contains(&words[0]))
            .map(|words| (words[1], words[2]))
            .collect();
        let of_the_registry: HashSet<_> = levels.keys().copied().collect();
        let mut emitted = HashSet::new();
        for attribute in span.attributes.iter().filter(|a| a.key.starts_with("gen_ai.")) {
            let key = renamed.get(attribute.key).copied().unwrap_or(attribute.key);
            let level = levels.get(key);
            assert!(level.is_some(), "{key} is no attribute of {}", span.name);
            emitted.insert(key);
            // The provider is an argument without a default; workflows and agents can switch
            // their attributes off.
            let is_call = [span::INFERENCE, span::EXECUTE_TOOL].contains(&span.name);
            if is_call && level == Some(&"required") && key != gen_ai::PROVIDER_NAME {
                assert_eq!(attribute.when, RequirementLevel::Start, "{key} on {}", span.name);
            }
        }
        let missing: Vec<_> = of_the_registry.difference(&emitted).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", span.name);
    }
}
