//! Content of GenAI calls: by consent only, redacted, and valid JSON when it is cut. The programs
//! run in child processes, because telemetry is installed.

mod case;

use crate::kit;
use hub_otel_tests::receiver::{Receiver, text};
use serde_json::{Value, json};

const VARIABLE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

/// Spans, log records and stderr of a program.
struct Run {
    receiver: Receiver,
    stderr: String,
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

    /// Everything that was exported, as text.
    fn exported(&self) -> String {
        format!("{:?} {:?}", self.receiver.spans(), self.receiver.logs())
    }
}

#[test]
fn without_consent_content_of_any_origin_is_not_exported() {
    for value in [None, Some("false"), Some("no_content"), Some("event_only")] {
        let variables: Vec<_> = value.into_iter().map(|value| (VARIABLE, value)).collect();
        let run = run("calls", &variables);
        let exported = run.exported();
        assert!(!exported.contains("c4n4ry"), "{value:?}: {exported}");
        // Everything else of the same spans is.
        assert_eq!(run.attribute("foreign", "gen_ai.request.model").as_deref(), Some("m"));
        assert!(!run.stderr.contains("c4n4ry"), "{}", run.stderr);
        let is_reported = run.stderr.contains("is set to `event_only`");
        assert_eq!(is_reported, value == Some("event_only"), "{}", run.stderr);
    }
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
