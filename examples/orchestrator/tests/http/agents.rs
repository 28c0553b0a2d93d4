//! Scanner, patcher and fault agent, in a temporary folder.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use orchestrator::agents::builtin::{AgentSettings, builtin_agents};
use orchestrator::agents::{AgentContext, AgentError, Registry, RiskLevel};
use orchestrator::security::Secrets;
use serde_json::{Value, json};

fn agents(root: &Path) -> Registry {
    builtin_agents(
        &AgentSettings { scan_root: root.to_owned(), ..AgentSettings::default() },
        &Secrets::default(),
    )
    .unwrap()
}

async fn act(
    agents: &Registry,
    agent: &str,
    action: &str,
    attempt: u32,
    input: Value,
) -> Result<Value, AgentError> {
    let context = AgentContext {
        action: action.into(),
        input,
        idempotency_key: "run/node".into(),
        run_id: "run".into(),
        workflow: "workflow".into(),
        node: "node".into(),
        attempt,
    };
    agents.get(agent).unwrap().execute(context).await
}

/// Concatenated, so that scanners do not report this file.
fn key() -> String {
    format!("{}{}", "AKIA", "IOSFODNN7EXAMPLE")
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("app/config.yaml", format!("region: eu\naws_key: {}\n", key()).as_bytes());
    write("app/clean.rs", b"fn main() {}\n");
    write(".env", format!("export KEY='ä {}'\n", key()).as_bytes());
    write(".gitignore", b"ignored/\n");
    write("ignored/secret.txt", key().as_bytes());
    write("image.bin", &[&[0_u8, 1, 2], key().as_bytes()].concat());
    write("large.txt", format!("{}{}", key(), "x".repeat(2 << 20)).as_bytes());
    folder
}

#[tokio::test]
async fn the_scanner_finds_secrets_in_committed_files_and_does_not_print_them() {
    let folder = folder();
    let report = act(&agents(folder.path()), "scanner", "scan", 1, json!({})).await.unwrap();
    let places: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {}:{}:{} {}",
                one["rule"], one["path"], one["line"], one["column"], one["preview"]
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            r#""aws-access-key-id" ".env":1:15 "AKIA… (20 characters)""#,
            r#""aws-access-key-id" "app/config.yaml":2:10 "AKIA… (20 characters)""#,
        ]
    );
    assert_eq!(
        (&report["total"], &report["files"], &report["skipped"]),
        (&json!(2), &json!(4), &json!(2))
    );
    assert_eq!(
        report["summary"],
        "2 possible secrets in 4 files of .; the first: aws-access-key-id in .env:1"
    );
    assert!(!report.to_string().contains(&key()), "a report is read by more people than the file");
}

#[tokio::test]
async fn special_files_of_any_name_do_not_stop_a_scan() {
    let folder = folder();
    std::fs::remove_file(folder.path().join(".gitignore")).unwrap();
    let pipe = |name: &str| {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(name)).status();
        assert!(made.unwrap().success());
    };
    // The root, a folder below it, and files to scan.
    for name in [".gitignore", "app/.gitignore", ".ignore", "app/pipe.txt"] {
        pipe(name);
    }
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("ignored/.gitignore")).unwrap();
    let agents = agents(folder.path());
    let scan = act(&agents, "scanner", "scan", 1, json!({}));
    let report = tokio::time::timeout(Duration::from_secs(30), scan).await.unwrap().unwrap();
    let paths: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|it| &it["path"]).collect();
    assert_eq!(paths, [".env", "app/config.yaml", "ignored/secret.txt"]);
    let finding = json!({ "rule": "aws-access-key-id", "path": "app/pipe.txt", "line": 1, "column": 1, "preview": "" });
    let patch = act(&agents, "patcher", "apply", 1, json!({ "findings": [finding] }));
    let error = tokio::time::timeout(Duration::from_secs(30), patch).await.unwrap().unwrap_err();
    assert_eq!(error.kind, "patch_failed");
}

#[cfg(unix)]
#[tokio::test]
async fn no_path_leads_out_of_the_scan_root() {
    let (folder, outside) = (folder(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("secret.txt"), key()).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let agents = agents(folder.path());
    for path in ["..", "/", "/etc", "link", "app/../..", "nowhere", "\u{0}"] {
        let error = act(&agents, "scanner", "scan", 1, json!({ "path": path })).await.unwrap_err();
        assert_eq!((error.kind, error.retryable), ("outside_scan_root", false), "{path:?}");
    }
    let report = act(&agents, "scanner", "scan", 1, json!({ "path": "." })).await.unwrap();
    assert!(!report.to_string().contains("link/"), "links are not followed");
    let finding = json!({ "rule": "aws-access-key-id", "path": "../secret.txt", "line": 1, "column": 1, "preview": "" });
    let error =
        act(&agents, "patcher", "apply", 1, json!({ "findings": [finding] })).await.unwrap_err();
    assert_eq!(error.kind, "outside_scan_root");
    assert_eq!(std::fs::read_to_string(outside.path().join("secret.txt")).unwrap(), key());
}

#[tokio::test]
async fn the_scanner_holds_the_run_for_hold_ms() {
    let folder = folder();
    let agents = Arc::new(agents(folder.path()));
    let begun = Instant::now();
    let runs = (0..20).map(|_| {
        let agents = agents.clone();
        tokio::spawn(
            async move { act(&agents, "scanner", "scan", 1, json!({ "hold_ms": 300 })).await },
        )
    });
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap().unwrap()["total"], 2);
    }
    assert!(begun.elapsed() >= Duration::from_millis(300));
    for taken in [json!(null), json!(""), json!("0"), json!(0.0)] {
        assert!(
            act(&agents, "scanner", "scan", 1, json!({ "hold_ms": taken })).await.is_ok(),
            "{taken}"
        );
    }
    for refused in [json!(-1), json!("soon"), json!(0.5), json!([]), json!(3_600_000)] {
        let error =
            act(&agents, "scanner", "scan", 1, json!({ "hold_ms": refused })).await.unwrap_err();
        assert_eq!(error.kind, "invalid_input", "{refused}");
    }
}

#[tokio::test]
async fn the_patcher_replaces_reported_secrets_and_a_second_run_changes_nothing() {
    let folder = folder();
    let agents = agents(folder.path());
    assert_eq!(agents.get("patcher").unwrap().risk("apply"), RiskLevel::ApprovalRequired);
    let report = act(&agents, "scanner", "scan", 1, json!({})).await.unwrap();
    let input = json!({ "path": ".", "findings": report["findings"] });
    let output = act(&agents, "patcher", "apply", 1, input.clone()).await.unwrap();
    assert_eq!(output, json!({ "replaced": 2, "files": [".env", "app/config.yaml"] }));
    let patched = std::fs::read_to_string(folder.path().join("app/config.yaml")).unwrap();
    assert_eq!(patched, "region: eu\naws_key: <redacted:aws-access-key-id>\n");
    assert_eq!(
        act(&agents, "patcher", "apply", 1, input).await.unwrap(),
        json!({ "replaced": 0, "files": [] })
    );
    assert_eq!(act(&agents, "scanner", "scan", 1, json!({})).await.unwrap()["total"], 0);
}

#[tokio::test]
async fn the_fault_agent_fails_as_configured_with_permitted_error_types_only() {
    let agents = agents(Path::new("."));
    let kind =
        |result: Result<Value, AgentError>| result.map_err(|error| (error.kind, error.retryable));
    assert!(act(&agents, "fault", "succeed", 1, json!({})).await.is_ok());
    assert_eq!(
        kind(act(&agents, "fault", "fail", 1, json!({})).await),
        Err(("fault_injected", false))
    );
    let connection = json!({ "error_type": "connection", "retryable": true });
    assert_eq!(kind(act(&agents, "fault", "fail", 1, connection).await), Err(("connection", true)));
    let twice = json!({ "times": 2 });
    assert_eq!(
        kind(act(&agents, "fault", "flaky", 2, twice.clone()).await),
        Err(("fault_injected", true))
    );
    assert!(act(&agents, "fault", "flaky", 3, twice).await.is_ok());
    let free_text = json!({ "error_type": "free text is no label" });
    assert_eq!(
        kind(act(&agents, "fault", "fail", 1, free_text).await),
        Err(("invalid_input", false))
    );
    assert_eq!(
        kind(act(&agents, "fault", "random", 1, json!({ "rate": 1.0 })).await),
        Err(("fault_injected", false))
    );
}
