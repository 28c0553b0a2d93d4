//! Budget of a run that is continued after its process was killed, against the server's own count.

mod case;

use crate::kit;
use hub_otel_tests::poll;
use hub_otel_tests::process::Process;
use scripted_openai::{Reply, Server, Usage};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Calls that the budget admits.
const LIMIT: u64 = 30;
const SOON: Duration = Duration::from_secs(60);

fn spawn(name: &str, server: &Server, segment: &Path) -> Process {
    let mut command = kit::case(&format!("budget::case::{name}"));
    command.env("OPENAI_BASE_URL", server.url()).env("SEGMENT", segment).envs([
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "none"),
    ]);
    Process::spawn(&mut command)
}

fn file() -> PathBuf {
    std::env::temp_dir().join(format!("hub-otel-budget-{}.json", std::process::id()))
}

#[test]
fn a_killed_run_continues_its_account_and_makes_at_most_one_call_too_many() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let usage = Usage { input: 100, output: 10, cached: 0, reasoning: 0 };
    let reply = move |_: &_| Reply::text("yes").usage(usage).delay(Duration::from_millis(5));
    let server = runtime.block_on(Server::start(reply)).expect("a free port");
    let segment = file();

    // Killed in the middle of its calls, which are made one after another.
    let mut killed = spawn("begin", &server, &segment);
    poll::until(SOON, || server.account().calls >= 7);
    killed.kill();
    killed.exit(SOON);
    let before = server.account().calls;
    assert!((7..LIMIT).contains(&before), "{before}");

    // Four threads with two tasks each continue it until a call is refused.
    let mut resumed = spawn("resume", &server, &segment);
    let status = resumed.exit(SOON);
    let (stdout, stderr) = (resumed.stdout(), resumed.stderr());
    assert!(status.success(), "{status}\n{stdout}\n{stderr}");
    let account = server.account();
    let spent = stdout.lines().find_map(|line| line.split_once("spent: ")).expect("its account").1;
    // The last call before the kill may be missing in what was stored.
    let lost = account.calls - LIMIT;
    assert!(lost <= 1, "{} calls: {stdout}", account.calls);
    let tokens = account.usage.input + account.usage.output - lost * (usage.input + usage.output);
    assert_eq!(spent, format!("{LIMIT} calls, {tokens} tokens"));
    std::fs::remove_file(segment).expect("it was written");
}
