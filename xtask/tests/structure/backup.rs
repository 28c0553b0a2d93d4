//! Runs of `backup` in a copy of the folder: of folders, and of volumes through a container engine
//! that is a script.

use crate::scripts::{copied, init, read, stdout};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn a_backup_of_folders_is_restored_and_never_overwritten() {
    let (folder, copy) = copied();
    stdout(&init(&copy, &[], &[]));
    let volumes = folder.path().join("volumes");
    let data = volumes.join("jaeger-data");
    fs::create_dir_all(&data).expect("a folder");
    fs::write(data.join("keys"), "kept").expect("written");
    let [target, volumes] = [folder.path().join("backup"), volumes]
        .map(|path| path.to_str().expect("a path").to_owned());
    let backup = |action: &str| {
        let arguments = [action, "--folders", &volumes, &target];
        Command::new("sh").arg(copy.join("backup")).args(arguments).output().expect("sh runs")
    };
    let early = backup("restore");
    assert!(!early.status.success(), "there is no backup");
    stdout(&backup("create"));
    let again = backup("create");
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists"), "{again:?}");

    let secret = read(&copy, "secrets/api_token");
    fs::write(copy.join("secrets/api_token"), "another one, of the same length").expect("written");
    fs::write(data.join("keys"), "lost").expect("written");
    fs::write(data.join("later"), "removed").expect("written");
    stdout(&backup("restore"));
    assert_eq!(read(&copy, "secrets/api_token"), secret);
    assert_eq!(read(&data, "keys"), "kept");
    assert!(!data.join("later").exists());
}

/// A container engine that records its arguments in `calls`, keeps volumes as folders, and runs the
/// script of a container in the folder of its volume.
const ENGINE: &str = r#"#!/bin/sh
set -eu
engine=$(dirname "$0")
printf '%s\n' "$*" >> "$engine/calls"
compose='compose -f FILE --profile *'
case "$*" in
    "$compose config --volumes") printf 'grafana-data\nprometheus-data\n' ;;
    "$compose ps --services --status running") printf 'grafana\nprometheus\n' ;;
    "$compose stop" | "$compose start grafana prometheus") ;;
    "run --rm -v "*)
        volume=${4%:/volume} target=${6%:/backup:z} archive=${10#archive=/backup/}
        [ "$4 $6" = "$volume:/volume $target:/backup:z" ] && [ "$5 $7 $8 $9" = '-v -w /volume -e' ]
        [ "${11} ${12} ${13}" = 'debian:bookworm-slim sh -euc' ]
        mkdir -p "$engine/volumes/$volume"
        cd "$engine/volumes/$volume"
        archive=$target/$archive exec sh -euc "${14}" ;;
    *) exit 64 ;;
esac
"#;

/// A Compose file and the options of `backup` that select it.
struct Variant {
    file: &'static str,
    options: &'static [&'static str],
}

const COMPLETE: Variant = Variant { file: "compose.yaml", options: &[] };
const PERMISSIVE: Variant = Variant { file: "compose.permissive.yaml", options: &["--permissive"] };

/// A copy of the folder whose stack runs on the engine.
struct Containers {
    _folder: tempfile::TempDir,
    variant: &'static Variant,
    copy: PathBuf,
    engine: PathBuf,
    target: PathBuf,
}

impl Containers {
    fn new(variant: &'static Variant) -> Self {
        let (folder, copy) = copied();
        stdout(&init(&copy, &[], &[]));
        let engine = folder.path().join("engine");
        fs::create_dir(&engine).expect("a folder");
        let script = ENGINE.replace("FILE", variant.file);
        fs::write(engine.join("docker"), script).expect("written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(engine.join("docker"), executable).expect("executable");
        let target = folder.path().join("backup");
        Self { _folder: folder, variant, copy, engine, target }
    }

    fn backup(&self, action: &str) -> Output {
        Command::new("sh")
            .arg(self.copy.join("backup"))
            .arg(action)
            .args(self.variant.options)
            .arg(&self.target)
            .env("PATH", format!("{}:/usr/bin:/bin", self.engine.display()))
            .output()
            .expect("sh runs")
    }

    fn volume(&self, name: &str) -> PathBuf {
        let volume = self.engine.join("volumes").join(format!("hub-observability_{name}"));
        fs::create_dir_all(&volume).expect("a folder");
        volume
    }

    /// Returns the arguments of each call since the last time, in words that differ.
    fn calls(&self) -> Vec<String> {
        let calls = read(&self.engine, "calls");
        fs::write(self.engine.join("calls"), "").expect("written");
        let compose = format!("compose -f {} --profile * ", self.variant.file);
        let word = |call: &str| -> String {
            match call.strip_prefix(&compose) {
                Some(verb) => verb.to_owned(),
                None => call.split([' ', ':']).nth(3).expect("a volume").to_owned(),
            }
        };
        // The scripts of the containers have one line.
        calls.lines().map(word).collect()
    }
}

const STOP: [&str; 3] = ["config --volumes", "ps --services --status running", "stop"];
const START: &str = "start grafana prometheus";

fn write(volume: &Path, text: &str) {
    fs::write(volume.join("data"), text).expect("written");
}

#[test]
fn volumes_are_archived_and_restored_while_the_programs_are_stopped() {
    for variant in [&COMPLETE, &PERMISSIVE] {
        let containers = Containers::new(variant);
        let [grafana, prometheus] =
            ["grafana-data", "prometheus-data"].map(|it| containers.volume(it));
        write(&grafana, "boards");
        write(&prometheus, "samples");
        stdout(&containers.backup("create"));
        let volumes = ["hub-observability_grafana-data", "hub-observability_prometheus-data"];
        let expected: Vec<&str> = [&STOP[..], &volumes, &[START]].concat();
        assert_eq!(containers.calls(), expected);

        write(&grafana, "lost");
        fs::write(prometheus.join("later"), "removed").expect("written");
        stdout(&containers.backup("restore"));
        assert_eq!(containers.calls(), expected);
        assert_eq!(
            (read(&grafana, "data"), read(&prometheus, "data")),
            ("boards".into(), "samples".into())
        );
        assert!(!prometheus.join("later").exists());
    }
}

#[test]
fn without_a_name_of_the_project_the_volumes_are_those_that_compose_creates() {
    for (variant, project) in [(&COMPLETE, "hub-observability"), (&PERMISSIVE, "hub-permissive")] {
        let containers = Containers::new(variant);
        let settings = read(&containers.copy, ".env");
        let line = "COMPOSE_PROJECT_NAME=hub-observability\n";
        assert!(settings.contains(line), "{settings}");
        fs::write(containers.copy.join(".env"), settings.replace(line, "")).expect("edited");
        stdout(&containers.backup("create"));
        let calls = containers.calls();
        assert!(calls.contains(&format!("{project}_grafana-data")), "{calls:?}");
    }
}

#[test]
fn with_a_damaged_archive_nothing_is_stopped_or_replaced() {
    let containers = Containers::new(&COMPLETE);
    let grafana = containers.volume("grafana-data");
    write(&grafana, "boards");
    stdout(&containers.backup("create"));
    containers.calls();
    write(&grafana, "newer");
    fs::write(containers.target.join("prometheus-data.tar.gz"), "no archive").expect("damaged");
    let restored = containers.backup("restore");
    assert!(String::from_utf8_lossy(&restored.stderr).contains("is damaged"), "{restored:?}");
    assert!(!restored.status.success() && containers.calls().is_empty());
    assert_eq!(read(&grafana, "data"), "newer");
}

#[test]
fn after_a_failure_the_programs_start_again_and_the_backup_is_incomplete() {
    let containers = Containers::new(&COMPLETE);
    let engine =
        ENGINE.replace("FILE", "compose.yaml").replace("exec sh -euc", "exit 1; exec sh -euc");
    fs::write(containers.engine.join("docker"), engine).expect("written");
    assert!(!containers.backup("create").status.success());
    assert_eq!(containers.calls().last().map(String::as_str), Some(START));
    let restored = containers.backup("restore");
    assert!(String::from_utf8_lossy(&restored.stderr).contains("not a complete backup"));
}
