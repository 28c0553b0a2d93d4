//! Backup and restore of the data of the variant, by `observability/backup`.

use super::{SOON, find, trigger};
use crate::api::Api;
use crate::copied::copied;
use crate::permissive::perses::Edition;
use crate::permissive::variant::Variant;
use crate::webhook::Chat;
use hub_otel_tests::poll;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn backup(copy: &Path, arguments: &[&str]) -> Output {
    Command::new("sh").arg(copy.join("backup")).args(arguments).output().expect("sh runs")
}

fn sqlite(database: &Path, statement: &str) -> String {
    let output = Command::new("sqlite3").arg(database).arg(statement).output();
    let output = output.expect("sqlite3 is installed");
    assert!(output.status.success(), "{statement}: {}", text_of(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text_of(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
#[ignore = "needs the programs of the permissive variant: just stack-permissive"]
fn a_permissive_backup_is_restored_into_empty_folders_and_the_run_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let volumes = folder.path().join("volumes");
    let target = folder.path().join("backup");
    let paths = [&volumes, &target].map(|path| path.to_str().expect("a path"));
    let (_copied, copy) = copied();
    let init = Command::new("sh").arg(copy.join("init")).output().expect("sh runs");
    assert!(init.status.success(), "{}", text_of(&init));
    let secret = fs::read_to_string(copy.join("secrets/api_token")).expect("a secret");

    let chat = Chat::start();
    let variant = Variant::start(&volumes, &chat, Edition::Shipped);
    let (run, trace) = trigger(&Api::new(&variant.orchestrator.url), "scan-and-notify");
    let records = find(&variant, &run, &trace).len();
    let counted = r#"sum(workflow_runs_total{workflow_id="scan-and-notify"})"#;
    poll::until(SOON, || variant.prometheus.instant(counted).only() == Some(1.0));
    // The database alone, while the service runs.
    let database = volumes.join("orchestrator-data/orchestrator.db");
    let online = folder.path().join("orchestrator.db");
    sqlite(&database, &format!(".backup '{}'", online.display()));
    let stored = format!("SELECT count(*) FROM workflow_runs WHERE id = '{run}'");
    assert_eq!(sqlite(&online, &stored), "1\n");
    assert_eq!(sqlite(&online, "PRAGMA integrity_check"), "ok\n");
    variant.stop();

    let created = backup(&copy, &["create", "--folders", paths[0], paths[1]]);
    assert!(created.status.success(), "{}", text_of(&created));
    let again = backup(&copy, &["create", "--folders", paths[0], paths[1]]);
    assert!(!again.status.success(), "a backup is not overwritten");

    // A new machine: no data, and other secrets.
    fs::remove_dir_all(&volumes).expect("removed");
    fs::create_dir(&volumes).expect("a folder");
    fs::remove_dir_all(copy.join("secrets")).expect("removed");
    let init = Command::new("sh").arg(copy.join("init")).output().expect("sh runs");
    assert!(init.status.success(), "{}", text_of(&init));
    let restored = backup(&copy, &["restore", "--folders", paths[0], paths[1]]);
    assert!(restored.status.success(), "{}", text_of(&restored));
    assert_eq!(fs::read_to_string(copy.join("secrets/api_token")).expect("a secret"), secret);

    let variant = Variant::start(&volumes, &chat, Edition::Shipped);
    assert_eq!(find(&variant, &run, &trace).len(), records);
    let api = Api::new(&variant.orchestrator.url);
    let runs = api.runs("scan-and-notify");
    assert!(runs.iter().any(|it| it["id"] == run.as_str()), "{runs:?}");
    // The counter of the process that wrote the backup, before the new one counts anything.
    let before = format!("max(max_over_time({counted}[10m:10s]))");
    poll::until(SOON, || variant.prometheus.instant(&before).only() == Some(1.0));
    // The restored stack works.
    let (run, trace) = trigger(&api, "scan-and-notify");
    find(&variant, &run, &trace);
    eprint!("{}{}", text_of(&created), text_of(&restored));
}
