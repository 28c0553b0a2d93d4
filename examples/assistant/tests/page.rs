//! The live view of the example in a real browser: calls of models, their cost, an approval.
#![expect(clippy::expect_used, reason = "a test fails by its panic")]

use hub_otel_tests::browser::Browser;
use hub_otel_tests::process::{Process, command};
use scripted_openai::{Call, Reply, Server, Usage};
use std::path::Path;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
const NOTES: &str = "Herons fish at the pond, owls hunt by the oak, the nest box needs repair.";

/// A conversation with pauses, so that its bars have a length.
fn replies() -> impl Fn(&Call) -> Reply + Send + Sync {
    let used = |input, output, cached| Usage { input, output, cached, reasoning: 0 };
    let pause = Duration::from_millis(120);
    move |call| {
        if call.tools().is_empty() {
            return Reply::text("Two owls hunt by the oak.").usage(used(64, 8, 0)).pause(pause);
        }
        match call.count("tool") {
            0 => Reply::tool_call("list_files", "{}").usage(used(3_910, 214, 2_048)).pause(pause),
            1 => Reply::tool_call("read_file", r#"{"path":"missing.md"}"#)
                .and_tool_call("summarize", r#"{"path":"owl.md"}"#)
                .usage(used(4_338, 138, 3_840))
                .pause(pause),
            3 => {
                let text = serde_json::json!({ "path": "summary.md", "text": NOTES });
                Reply::tool_call("write_file", text.to_string())
                    .usage(used(4_702, 146, 4_096))
                    .pause(pause)
            }
            _ => Reply::text("I wrote that into summary.md.")
                .usage(used(4_866, 27, 4_608))
                .pause(pause),
        }
    }
}

/// The program with its page open, which waits for the approval of a write.
struct Session {
    process: Process,
    browser: Browser,
    folder: tempfile::TempDir,
    _server: Server,
}

impl Session {
    /// `None` without a browser.
    async fn start() -> Option<Self> {
        let browser = Browser::start(1280, 720).await?;
        let server = Server::start(replies()).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("owl.md"), "Two tawny owls.\n").expect("written");
        let mut command = command(env!("CARGO_BIN_EXE_assistant"));
        command.args(["--live", "127.0.0.1:0", "--base-url", &server.url()]);
        command.arg("--folder").arg(folder.path()).arg("Summarize these notes in summary.md.");
        let process = Process::spawn(&mut command);
        let line = process.line(TIMEOUT, "Live view: ");
        let url = line.split_once("Live view: ").expect("the line").1.trim();
        browser.page.goto(url).await.expect("the page");
        browser.click(".run-row", "assistant").await;
        browser.wait_for_text("write summary.md waits for an approval").await;
        Some(Self { process, browser, folder, _server: server })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_and_cost_add_up_on_the_page_and_a_write_is_approved_there() {
    let Some(mut session) = Session::start().await else { return };
    let browser = &session.browser;
    // Tokens and cost of each call, of the run in the list, and of the selected run.
    let calls = "[...document.querySelectorAll('.line .used')].map((used) => used.textContent)";
    browser.wait(&format!("return {calls}.includes('4,124 tok · $0.00056')")).await;
    browser.wait_for_text("13,014 in · 506 out").await;
    let usage = "document.querySelector('.run-row .usage').textContent";
    let before = browser.run(&format!("return {usage}")).await;
    let cost = "[...document.querySelectorAll('.fact')].some((fact) => /^cost \\$0\\.00\\d+$/.test(fact.textContent))";
    browser.wait(&format!("return {cost}")).await;
    browser.click(".line", "chat gpt-4o-mini").await;
    browser.wait_for_text("3,910 in · 2,048 cached · 214 out").await;
    // A failed tool has its exception.
    browser.wait("return document.querySelectorAll('.line .bar.tool.failed').length === 1").await;
    browser.click(".line:has(.failed)", "read_file").await;
    browser.wait("return document.querySelector('.details .exception') !== null").await;
    assert!(!session.folder.path().join("summary.md").exists());

    browser.click(".wait button", "Approve").await;
    browser
        .wait("return document.querySelector('.run-head .badge').textContent.includes('success')")
        .await;
    browser.wait(&format!("return {usage} !== {before}")).await;
    browser.wait_for_text("17,880 in · 533 out").await;
    let written = std::fs::read_to_string(session.folder.path().join("summary.md"));
    assert_eq!(written.expect("the file"), NOTES);
    session.process.line(TIMEOUT, "ends the program");
    session.process.interrupt();
    let status = tokio::task::block_in_place(|| session.process.exit(TIMEOUT));
    assert!(status.success(), "{}", session.process.stderr());
    session.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the pictures of the documentation"]
async fn screenshots() {
    let session = Session::start().await.expect("a browser");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images");
    session.browser.click(".line", "chat gpt-4o-mini").await;
    session.browser.wait_for_text("first chunk").await;
    for scheme in ["light", "dark"] {
        session.browser.emulate(1280, 720, scheme).await;
        let path = folder.join(format!("live-llm-{scheme}.png"));
        std::fs::write(path, session.browser.screenshot().await).expect("written");
    }
    session.browser.close().await;
}
