//! The trace of each program, as it arrives at an OTLP receiver, and what the metrics add up to.

use guides::script;
use hub_otel::testing::{Span, Spans};
use hub_otel_tests::receiver::{Receiver, text};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use scripted_openai::{Account, Reply, Server};
use std::process::Command;

/// Telemetry, calls and output of a finished program.
struct Run {
    receiver: Receiver,
    account: Account,
    stdout: String,
}

/// Runs a program against the replies, with its telemetry to a receiver.
fn run(program: &str, replies: Vec<Reply>, variables: &[(&str, &str)]) -> Run {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::replies(replies)).expect("a free port");
    let receiver = Receiver::start();
    let output = Command::new(program)
        .env_clear()
        .env("OPENAI_BASE_URL", server.url())
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .env("OTEL_METRICS_EXPORTER", "otlp")
        .envs(variables.iter().copied())
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    Run { receiver, account: server.account(), stdout }
}

#[derive(Default)]
struct Total {
    sum: f64,
    count: u64,
}

impl Run {
    /// The spans as a tree: name, status, and the attributes that differ.
    fn tree(&self) -> String {
        self.spans().render(line)
    }

    /// Compares the whole tree: parents, and no span twice. It is one trace.
    #[track_caller]
    fn assert_tree(&self, expected: &str) {
        assert_eq!(self.tree(), expected.trim_start());
        let spans = self.spans();
        let mut traces: Vec<_> = spans.iter().map(|span| &span.trace_id).collect();
        traces.dedup();
        assert_eq!(traces.len(), 1, "{}", self.tree());
    }

    /// Content is recorded by consent only.
    #[track_caller]
    fn assert_without(&self, content: &[&str]) {
        let exported = self.exported();
        for text in content {
            assert!(!exported.contains(text), "`{text}` is in {exported}");
        }
    }

    fn spans(&self) -> Spans {
        self.receiver.kit_spans()
    }

    /// Everything that was exported, as text, to search for content.
    fn exported(&self) -> String {
        format!("{:?} {:?} {:?}", self.spans(), self.receiver.logs(), self.receiver.metrics())
    }

    /// Sum of an integer attribute over the spans of model calls.
    fn sum(&self, key: &str) -> u64 {
        let value = |span: &Span| span.attributes.get(key).map(|value| value.to_string());
        let calls = self.spans();
        let calls = calls.iter().filter(|span| span.text("gen_ai.operation.name") == "chat");
        calls.filter_map(value).map(|text| text.parse::<u64>().expect("an integer")).sum()
    }

    #[track_caller]
    fn assert_tokens(&self) {
        let usage = self.account.usage;
        let found = [
            self.sum("gen_ai.usage.input_tokens"),
            self.sum("gen_ai.usage.output_tokens"),
            self.sum("gen_ai.usage.cache_read.input_tokens"),
        ];
        assert_eq!(found, [usage.input, usage.output, usage.cached], "{}", self.tree());
        // The metrics are derived from the framework's spans. Each call counts once.
        assert_eq!(self.metric("gen_ai.client.token.usage", "input").sum, usage.input as f64);
        assert_eq!(self.metric("gen_ai.client.token.usage", "output").sum, usage.output as f64);
        let calls = self.metric("gen_ai.client.operation.duration", "").count;
        assert_eq!(calls, self.account.calls);
        // gpt-4o-mini: 0.15, 0.075 and 0.6 dollars per million tokens.
        let [input, cached, output] = [usage.input, usage.cached, usage.output].map(|n| n as f64);
        let dollars = ((input - cached) * 0.15 + cached * 0.075 + output * 0.6) / 1e6;
        let cost = self.receiver.latest_sum("agent.cost");
        assert!((cost - dollars).abs() < 1e-9, "{cost} is not {dollars}");
    }

    /// Sum and count of a histogram over its label sets, those with a token type of that name.
    fn metric(&self, name: &str, token_type: &str) -> Total {
        let mut total = Total::default();
        for metric in self.receiver.metrics().iter().filter(|metric| metric.name == name) {
            let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
            for point in &histogram.data_points {
                let label = text(&point.attributes, "gen_ai.token.type").unwrap_or_default();
                if label == token_type {
                    total.sum += point.sum.unwrap_or_default();
                    total.count += point.count;
                }
            }
        }
        total
    }
}

fn line(span: &Span) -> String {
    // The description of an error is the text of the provider.
    let status = span.status.split(':').next().unwrap_or_default();
    let mut line = format!("{} {status}", span.name);
    for key in [
        "agent.id",
        "agent.action",
        "gen_ai.tool.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "error.type",
    ] {
        if let Some(value) = span.attributes.get(key) {
            let key = key.rsplit('.').next().unwrap_or(key);
            line.push_str(&format!(" {key}={value}"));
        }
    }
    if span.attributes.contains_key("gen_ai.response.time_to_first_chunk") {
        line.push_str(" streamed");
    }
    line
}

const CONTENT: [&str; 3] = ["How wide", "About 1.9", "Fish and frogs"];

#[test]
fn rig_joins_the_trace_and_its_tokens_are_those_of_the_server() {
    let run = run(env!("CARGO_BIN_EXE_rig"), script::rig(), &[]);
    assert_eq!(run.stdout, "About 1.9 m.\n");
    run.assert_tree(
        "
workflow.execute Ok
  agent.execute Ok id=ornithologist action=reply
    chat Unset input_tokens=120 output_tokens=18
    execute_tool Unset name=wingspan
      agent.execute Ok id=measure action=look_up
    chat Unset input_tokens=160 output_tokens=9
  agent.execute Ok id=ornithologist action=stream
    chat Unset input_tokens=90 output_tokens=7
",
    );
    run.assert_tokens();
    run.assert_without(&CONTENT);
}

#[test]
fn a_hook_of_rig_stops_the_run_at_its_budget() {
    for limit in 0..3 {
        let variables = [("MAX_CALLS", &*limit.to_string())];
        let run = run(env!("CARGO_BIN_EXE_rig"), script::rig(), &variables);
        assert_eq!(run.account.calls, limit, "{}", run.stdout);
        let reason = format!("the budget is exceeded: llm_calls is {limit} of {limit}");
        assert!(run.stdout.contains(&reason), "{}", run.stdout);
        assert!(run.tree().contains("workflow.execute Error"), "{}", run.tree());
    }
}

#[test]
fn genai_joins_the_trace_and_its_tokens_are_those_of_the_server() {
    let run = run(env!("CARGO_BIN_EXE_genai"), script::genai(), &[]);
    assert_eq!(run.stdout, "About 1.9 m.\n");
    run.assert_tree(
        "
workflow.execute Ok
  agent.execute Ok id=ornithologist action=reply
    chat gpt-4o-mini Unset input_tokens=40 output_tokens=9
  agent.execute Ok id=ornithologist action=stream
    chat gpt-4o-mini Unset input_tokens=30 output_tokens=7 streamed
  agent.execute Error id=ornithologist action=reply type=genai_error
    chat gpt-4o-mini Error type=429
",
    );
    run.assert_tokens();
    run.assert_without(&CONTENT);
}

#[test]
fn async_openai_joins_the_trace_and_its_tokens_are_those_of_the_server() {
    let run = run(env!("CARGO_BIN_EXE_async_openai"), script::genai(), &[]);
    assert_eq!(run.stdout, "About 1.9 m.\n");
    run.assert_tree(
        "
workflow.execute Ok
  agent.execute Ok id=ornithologist action=reply
    chat gpt-4o-mini Ok input_tokens=40 output_tokens=9
  agent.execute Ok id=ornithologist action=stream
    chat gpt-4o-mini Ok input_tokens=30 output_tokens=7 streamed
  agent.execute Error id=ornithologist action=reply type=async_openai_open_ai_error
    chat gpt-4o-mini Error type=429
",
    );
    run.assert_tokens();
    run.assert_without(&CONTENT);
}

#[test]
fn genai_records_content_by_consent() {
    let consent = [("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")];
    let run = run(env!("CARGO_BIN_EXE_genai"), script::genai(), &consent);
    let exported = run.exported();
    assert!(exported.contains("How wide") && exported.contains("About 1.9"), "{exported}");
}

#[test]
fn a_job_of_apalis_belongs_to_the_run_that_queued_it() {
    let run = run(env!("CARGO_BIN_EXE_apalis"), Vec::new(), &[]);
    run.assert_tree(
        "
workflow.execute Ok
  agent.execute Ok id=renamer action=rename
  agent.execute Error id=renamer action=rename type=apalis_same_name
  agent.execute Ok id=renamer action=rename
",
    );
    let spans = run.spans();
    let run_id = spans.named("workflow.execute")[0].text("workflow.run.id");
    for agent in spans.named("agent.execute") {
        assert_eq!(agent.text("workflow.run.id"), run_id);
    }
}

#[test]
fn tools_of_mcp_over_stdio_and_http_are_in_the_trace_and_the_run_of_the_client() {
    let run = run(env!("CARGO_BIN_EXE_rmcp"), Vec::new(), &[]);
    assert_eq!(run.stdout, "1.9 m\n1.9 m\ndodo is not known\n");
    let of_units = |span: &Span| {
        span.attributes.contains_key("hub_otel.status")
            || !span.text("agent.id").is_empty()
            || !span.text("workflow.run.id").is_empty()
    };
    let spans = run.spans();
    let tree = spans.render(line);
    for span in spans.iter().filter(|span| of_units(span)) {
        assert_eq!(span.trace_id, spans.named("workflow.execute")[0].trace_id, "{tree}");
        assert_eq!(span.text("gen_ai.conversation.id"), "thread-7", "{tree}");
    }
    let calls = spans.named("tools/call wingspan");
    let of_kind = |kind: &str| calls.iter().filter(|call| call.kind == kind).count();
    assert_eq!((of_kind("Client"), of_kind("Server")), (3, 3), "{tree}");
    for server in calls.iter().filter(|call| call.kind == "Server") {
        let client = calls.iter().find(|call| call.span_id == server.parent_id);
        let client = client.unwrap_or_else(|| panic!("no parent of {server:?} in {tree}"));
        assert_eq!(client.kind, "Client", "{tree}");
        for key in ["network.transport", "mcp.method.name", "gen_ai.tool.name", "error.type"] {
            assert_eq!(client.text(key), server.text(key), "{key}");
        }
    }
    let failed = calls.iter().filter(|call| call.text("error.type") == "tool_error").count();
    assert_eq!(failed, 2, "{tree}");
    run.assert_without(&["heron", "1.9 m"]);
}

#[test]
fn async_openai_records_content_by_consent() {
    let consent = [("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")];
    let run = run(env!("CARGO_BIN_EXE_async_openai"), script::genai(), &consent);
    let exported = run.exported();
    for text in CONTENT {
        assert!(exported.contains(text), "`{text}` is not in {exported}");
    }
}
