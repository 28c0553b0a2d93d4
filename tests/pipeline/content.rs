//! Content of GenAI calls: by consent only, redacted, and valid JSON when it is cut. The programs
//! run in child processes, because telemetry is installed.

mod case;

use crate::kit;
use hub_otel_tests::receiver::{Item, Receiver, text};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

const VARIABLE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

/// Spans, log records and stderr of a program.
struct Run {
    receiver: Receiver,
    stderr: String,
}

/// Returns a structured attribute as JSON.
#[track_caller]
fn structured(attributes: &[KeyValue], key: &str) -> Value {
    let attribute = attributes.iter().find(|attribute| attribute.key == key);
    let attribute = attribute.unwrap_or_else(|| panic!("{key}: {attributes:?}"));
    to_json(attribute.value.as_ref())
}

fn to_json(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(value)) => json!(value),
        Some(Any::DoubleValue(value)) => json!(value),
        Some(Any::ArrayValue(list)) => list.values.iter().map(|item| to_json(Some(item))).collect(),
        Some(Any::KvlistValue(list)) => {
            let members = list.values.iter();
            Value::Object(members.map(|it| (it.key.clone(), to_json(it.value.as_ref()))).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn run(name: &str, variables: &[(&str, &str)]) -> Run {
    let receiver = Receiver::start();
    let stderr = kit::run_case(&format!("content::case::{name}"), &receiver, variables);
    Run { receiver, stderr }
}

impl Run {
    /// Returns an attribute of the span `name`.
    fn attribute(&self, name: &str, key: &str) -> Option<String> {
        let spans = self.receiver.spans();
        let span = spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}"));
        text(&span.attributes, key).map(str::to_owned)
    }

    #[track_caller]
    fn json(&self, name: &str, key: &str) -> Value {
        let text = self.attribute(name, key).unwrap_or_else(|| panic!("{key} of {name}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The events with content.
    fn details(&self) -> Vec<Item<LogRecord>> {
        let mut records = self.receiver.logs();
        records.retain(|record| record.event_name == "gen_ai.client.inference.operation.details");
        records
    }

    /// Returns the span `name` and the event with its ids.
    #[track_caller]
    fn details_of<'a>(
        &self,
        details: &'a [Item<LogRecord>],
        name: &str,
    ) -> (Item<Span>, &'a Item<LogRecord>) {
        let spans = self.receiver.spans();
        let span =
            spans.into_iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}"));
        let mut events = details
            .iter()
            .filter(|event| (&event.trace_id, &event.span_id) == (&span.trace_id, &span.span_id));
        let event = events.next().unwrap_or_else(|| panic!("{name}: {details:?}"));
        assert!(events.next().is_none());
        (span, event)
    }

    /// Everything that was exported, as text.
    fn exported(&self) -> String {
        format!("{:?} {:?}", self.receiver.spans(), self.receiver.logs())
    }
}

#[test]
fn without_consent_content_of_any_origin_is_not_exported() {
    for value in [None, Some("false"), Some("no_content")] {
        let variables: Vec<_> = value.into_iter().map(|value| (VARIABLE, value)).collect();
        let run = run("calls", &variables);
        let exported = run.exported();
        assert!(!exported.contains("c4n4ry"), "{value:?}: {exported}");
        // Everything else of the same spans is.
        assert_eq!(run.attribute("foreign", "gen_ai.request.model").as_deref(), Some("m"));
        assert!(!run.stderr.contains("c4n4ry"), "{}", run.stderr);
        assert!(run.details().is_empty());
    }
}

#[test]
fn events_have_the_content_of_calls_of_models_in_a_structured_form() {
    for (value, on_spans) in [("event_only", false), ("span_and_event", true)] {
        let run = run("calls", &[(VARIABLE, value)]);
        let spans = format!("{:?}", run.receiver.spans());
        assert_eq!(spans.contains("c4n4ry"), on_spans, "{value}: {spans}");
        assert!(!run.stderr.contains("c4n4ry"), "{}", run.stderr);
        let details = run.details();
        assert_eq!(details.len(), 2, "no event of tools, agents and embeddings: {details:?}");

        let (call, event) = run.details_of(&details, "chat m");
        assert_eq!((event.severity_number, event.severity_text.as_str()), (5, "DEBUG"));
        assert_eq!(event.scope.name, call.scope.name);
        assert_eq!(event.time_unix_nano, call.end_time_unix_nano);
        assert_eq!(event.flags, 1);
        let parts = |text: &str| json!([{ "type": "text", "content": text }]);
        let value_of = |key: &str| structured(&event.attributes, key);
        assert_eq!(value_of("gen_ai.system_instructions"), parts("c4n4ry instructions"));
        assert_eq!(
            value_of("gen_ai.input.messages"),
            json!([{ "role": "user", "parts": parts("c4n4ry question, key [REDACTED]") }])
        );
        assert_eq!(
            value_of("gen_ai.output.messages"),
            json!([{ "role": "assistant", "parts": parts("c4n4ry answer"), "finish_reason": "stop" }])
        );
        // Everything else that the span has.
        for attribute in &call.attributes {
            if !is_message(&attribute.key) {
                assert!(event.attributes.contains(attribute), "{attribute:?}");
            }
        }
        let keys: std::collections::BTreeSet<_> =
            event.attributes.iter().map(|attribute| &attribute.key).collect();
        assert_eq!(keys.len(), event.attributes.len(), "{keys:?}");

        let (_, event) = run.details_of(&details, "foreign call");
        let prompt = json!({ "password": "[REDACTED]", "text": "c4n4ry" });
        assert_eq!(structured(&event.attributes, "gen_ai.input.messages"), prompt);
        assert_eq!(text(&event.attributes, "gen_ai.request.model"), Some("m"));
        assert_eq!(text(&event.attributes, "other"), None);
    }
}

fn is_message(key: &str) -> bool {
    ["messages", "instructions"].iter().any(|end| key.ends_with(end))
}

#[test]
fn the_content_of_events_is_cut_by_the_rules_of_json() {
    let limit = ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "2000");
    for (variables, max) in [(vec![], 16 * 1024), (vec![limit], 2_000)] {
        let variables: Vec<_> = variables.into_iter().chain([(VARIABLE, "event_only")]).collect();
        let run = run("long", &variables);
        let details = run.details();
        let (_, event) = run.details_of(&details, "chat m");
        let messages = structured(&event.attributes, "gen_ai.input.messages");
        let messages = messages.as_array().expect("a list");
        let first = messages[0]["parts"][0]["content"].as_str().expect("a text");
        let dropped: usize =
            first.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect(first);
        assert_eq!(dropped + messages.len() - 1, 1_000);
        assert_eq!(messages.last().expect("one")["parts"][0]["content"], "message 999");
        for key in ["gen_ai.input.messages", "gen_ai.output.messages"] {
            let size = structured(&event.attributes, key).to_string().len();
            assert!((max / 3..=max).contains(&size), "{size} of {key}");
        }
        let answer = structured(&event.attributes, "gen_ai.output.messages").to_string();
        assert!(answer.contains("bytes cut]"), "{answer}");
        assert_eq!(event.dropped_attributes_count, 0);
    }
}

#[test]
fn events_are_recorded_with_a_span_processor_of_the_application_which_gets_no_content() {
    let run = run("with_a_span_processor", &[(VARIABLE, "event_only")]);
    assert!(!run.stderr.contains("c4n4ry"), "{}", run.stderr);
    assert!(run.stderr.contains("processed chat m"), "{}", run.stderr);
    let details = run.details();
    let (call, event) = run.details_of(&details, "chat m");
    assert!(structured(&event.attributes, "gen_ai.input.messages").is_array());
    for attribute in &call.attributes {
        assert!(event.attributes.contains(attribute), "{attribute:?}");
    }
}

#[test]
fn the_event_of_a_call_that_the_shutdown_ends_is_delivered() {
    let run = run("open_at_the_shutdown", &[(VARIABLE, "event_only")]);
    let details = run.details();
    let (_, event) = run.details_of(&details, "chat m");
    assert!(structured(&event.attributes, "gen_ai.input.messages").is_array());
}

#[test]
fn with_consent_content_is_exported_in_the_form_of_the_conventions_without_secrets() {
    for value in ["true", "SPAN_ONLY", "span_and_event"] {
        let run = run("calls", &[(VARIABLE, value)]);
        let parts = |text: &str| json!([{ "type": "text", "content": text }]);
        let call = "chat m";
        assert_eq!(run.json(call, "gen_ai.system_instructions"), parts("c4n4ry instructions"));
        assert_eq!(
            run.json(call, "gen_ai.input.messages"),
            json!([{ "role": "user", "parts": parts("c4n4ry question, key [REDACTED]") }])
        );
        let answer = json!([{ "role": "assistant", "parts": parts("c4n4ry answer"), "finish_reason": "stop" }]);
        assert_eq!(run.json(call, "gen_ai.output.messages"), answer);
        let tool = "execute_tool search";
        assert_eq!(
            run.json(tool, "gen_ai.tool.call.arguments"),
            json!({ "query": "c4n4ry", "api_key": "[REDACTED]", "customer_iban": "[REDACTED]" })
        );
        let result = run.attribute(tool, "gen_ai.tool.call.result");
        assert_eq!(result.as_deref(), Some("c4n4ry result"));
        let built = run.attribute("execute_tool built", "gen_ai.tool.call.arguments");
        assert_eq!(built.as_deref(), Some("{\"built\":\"c4n4ry\"}"));
        let recorded = run.attribute("agent.execute", "gen_ai.input.messages");
        assert_eq!(recorded.as_deref(), Some("c4n4ry recorded"));
        let field = run.attribute("agent.execute", "gen_ai.tool.definitions");
        assert_eq!(field.as_deref(), Some("c4n4ry field"));
        for span in ["foreign", "traced"] {
            let text = run.attribute(span, "gen_ai.prompt");
            assert_eq!(text.as_deref(), Some("{\"password\":\"[REDACTED]\",\"text\":\"c4n4ry\"}"));
        }
    }
}

#[test]
fn the_builder_consents_and_precedes_the_variable() {
    assert!(run("consented_by_the_builder", &[]).exported().contains("c4n4ry"));
    let refused = run("refused_by_the_builder", &[(VARIABLE, "true")]);
    assert!(!refused.exported().contains("c4n4ry"), "{}", refused.exported());
}

#[test]
fn content_that_is_cut_is_valid_json_and_states_what_is_missing() {
    let run = run("long", &[(VARIABLE, "true")]);
    let size = |span, key| run.attribute(span, key).expect("content").len();
    // The limit of content, above the one of other values.
    for (span, key) in [
        ("chat m", "gen_ai.input.messages"),
        ("chat m", "gen_ai.output.messages"),
        ("execute_tool search", "gen_ai.tool.call.arguments"),
        ("foreign", "gen_ai.input.messages"),
    ] {
        run.json(span, key);
        assert!((8 * 1024..=16 * 1024).contains(&size(span, key)), "{} of {key}", size(span, key));
    }
    let messages = run.json("chat m", "gen_ai.input.messages");
    let messages = messages.as_array().expect("a list");
    let first = messages[0]["parts"][0]["content"].as_str().expect("a text");
    let dropped: usize = first.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect(first);
    assert_eq!(dropped + messages.len() - 1, 1_000);
    assert_eq!(messages.last().expect("one")["parts"][0]["content"], "message 999");
    let answer = run.json("chat m", "gen_ai.output.messages").to_string();
    assert!(answer.contains("bytes cut]"), "{answer}");
    // A result that is text is cut as text.
    assert_eq!(size("execute_tool search", "gen_ai.tool.call.result"), 16 * 1024);
}

#[test]
fn a_lower_limit_of_values_applies_to_content() {
    let limit = ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100");
    let run = run("long", &[(VARIABLE, "true"), limit]);
    for (span, key) in [("chat m", "gen_ai.input.messages"), ("foreign", "gen_ai.input.messages")] {
        let text = run.attribute(span, key).expect("content");
        assert!(text.len() <= 100, "{text}");
        run.json(span, key);
    }
}
