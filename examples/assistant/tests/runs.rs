//! The example runs to its end without a Collector, a key and a network.

use hub_otel_tests::example::assert_prints;
use hub_otel_tests::process::{Process, command};
use scripted_openai::{Reply, Server};
use std::time::Duration;

const ASSISTANT: &str = env!("CARGO_BIN_EXE_assistant");

#[test]
fn the_example_prints_its_trace_and_exits() {
    assert_prints(
        ASSISTANT,
        &[],
        &[
            "Question: Summarize these notes",
            "I wrote that into summary.md.",
            "6 calls, 1 failed, 1580 tokens in, 131 out",
        ],
        &[
            "agent.id=librarian agent.action=reply agent.retry.count=1",
            "execute_tool write_file",
            "workflow.approval.decision=APPROVED",
            "agent.id=summarizer",
            "gen_ai.usage.input_tokens=466 gen_ai.usage.output_tokens=27",
            "workflow.cost.usd=0.0",
        ],
    );
}

/// The user is not at the terminal: nothing is written, and the model reads the reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_without_approval_is_an_error_that_the_model_reads() {
    let write = r#"{"path":"new.md","text":"text"}"#;
    let escape = r#"{"path":"../secret"}"#;
    let server = Server::replies([
        Reply::tool_call("write_file", write).and_tool_call("read_file", escape),
        Reply::text("I may not."),
    ])
    .await
    .expect("a free port");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8").to_owned();
    let url = server.url();
    tokio::task::spawn_blocking(move || {
        let arguments = ["--base-url", &url, "--folder", &path, "--model", "m", "Write."];
        assert_prints(ASSISTANT, &arguments, &["I may not."], &["error.type=not_approved"]);
    })
    .await
    .expect("no panic");
    let calls = server.calls();
    let results: Vec<_> = calls[1].messages().iter().filter(|m| m["role"] == "tool").collect();
    assert_eq!(results[0]["content"], "error: the user did not approve the write");
    assert_eq!(
        results[1]["content"],
        "error: `../secret` is not in the folder: give a path below it"
    );
    assert!(!folder.path().join("new.md").exists());
}

/// The demonstration makes six calls: streamed ones, and one of the sub-agent.
#[test]
fn a_run_over_its_budget_ends_before_the_next_call() {
    for max in 1..=6 {
        let mut command = command(ASSISTANT);
        let mut process = Process::spawn(command.args(["--max-calls", &max.to_string()]));
        let is_complete = process.exit(Duration::from_secs(60)).success();
        let (output, trace) = (process.stdout(), process.stderr());
        assert!(output.contains(&format!("the server counted {max} calls")), "{max}: {output}");
        assert_eq!(is_complete, max == 6, "{max}: {trace}");
        let exceeded = format!(
            "error: the budget is exceeded: llm_calls is {max} of {max}; the call was not started"
        );
        assert_eq!(trace.contains(&exceeded), !is_complete, "{max}: {trace}");
        assert_eq!(trace.contains("error.type=budget_exceeded"), !is_complete, "{max}: {trace}");
    }
}
