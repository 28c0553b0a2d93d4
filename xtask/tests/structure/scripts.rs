//! Runs of `init` in a copy of the folder.

use crate::{list, observability};
use serde_json::Value;
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Copies the folder without the files that `init` writes.
pub(crate) fn copied() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("observability");
    copy_tree(&observability(), &copy);
    for written in [".env", "secrets", "prometheus/targets/orchestration-service.yml"] {
        let _absent = fs::remove_file(copy.join(written));
        let _absent = fs::remove_dir_all(copy.join(written));
    }
    let _absent = fs::remove_file(copy.join("alertmanager/alertmanager.yml"));
    for written in ["contact-points.yaml", "policies.yaml"] {
        let _absent = fs::remove_file(copy.join("grafana/provisioning/alerting").join(written));
    }
    (folder, copy)
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

pub(crate) fn init(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new("sh")
        .arg(folder.join("init"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .envs(environment.iter().copied())
        .output()
        .expect("sh runs")
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn read(folder: &Path, path: &str) -> String {
    fs::read_to_string(folder.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn init_creates_secrets_and_the_files_of_the_profile() {
    let (_folder, copy) = copied();
    let printed = stdout(&init(&copy, &[], &[]));
    let password = copy.join("secrets/grafana_admin");
    assert!(printed.contains(&format!("password in {}", password.display())), "{printed}");
    let mut secrets = HashSet::new();
    for name in ["grafana_admin", "api_token", "webhook_token", "webhook_hmac"] {
        let secret = read(&copy, &format!("secrets/{name}"));
        assert!(
            secret.len() == 40 && secret.chars().all(|c| c.is_ascii_alphanumeric()),
            "{name}: {secret}"
        );
        assert!(!printed.contains(&secret), "{name} is printed");
        assert!(secrets.insert(secret), "{name} equals another secret");
    }
    let mode = fs::metadata(copy.join("secrets")).expect("exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "not accessible to other users");
    assert!(
        read(&copy, "prometheus/targets/orchestration-service.yml").contains("orchestrator:9464")
    );
    assert!(
        read(&copy, ".env")
            .contains("ALERT_WEBHOOK_URL=http://orchestrator:9002/api/webhooks/grafana")
    );
    let contacts = read(&copy, "grafana/provisioning/alerting/contact-points.yaml");
    assert!(
        contacts.contains("webhook_notifier") && !contacts.contains("escalation"),
        "{contacts}"
    );
    assert!(!read(&copy, "grafana/provisioning/alerting/policies.yaml").contains("escalation"));
}

#[test]
fn init_run_again_keeps_secrets_and_edited_settings() {
    let (_folder, copy) = copied();
    stdout(&init(&copy, &[], &[]));
    let before = read(&copy, "secrets/grafana_admin");
    fs::write(copy.join(".env"), read(&copy, ".env").replace("development", "production"))
        .expect("edited");
    stdout(&init(&copy, &["host"], &[]));
    assert_eq!(read(&copy, "secrets/grafana_admin"), before);
    let environment = read(&copy, ".env");
    assert!(environment.contains("ENVIRONMENT=production"), "{environment}");
    assert!(
        environment
            .contains("ALERT_WEBHOOK_URL=http://host.docker.internal:9003/api/webhooks/grafana")
    );
    assert!(
        read(&copy, "prometheus/targets/orchestration-service.yml").ends_with("[]\n"),
        "pushed: nothing to scrape"
    );
    let printed = stdout(&init(&copy, &["env"], &[]));
    assert!(printed.contains("export OTEL_METRICS_EXPORTER='otlp'"), "{printed}");
    assert!(printed.contains("deployment.environment.name=production"), "{printed}");
    assert!(
        !printed.contains(&read(&copy, "secrets/webhook_token")),
        "the name of the file is printed, not its content"
    );
}

#[test]
fn two_servers_on_postgresql_are_scraped_and_share_the_url_of_the_database() {
    let (_folder, copy) = copied();
    stdout(&init(&copy, &["postgres"], &[]));
    let targets = read(&copy, "prometheus/targets/orchestration-service.yml");
    assert!(targets.contains("'orchestrator-1:9464', 'orchestrator-2:9464'"), "{targets}");
    let (password, url) =
        (read(&copy, "secrets/postgres_password"), read(&copy, "secrets/database_url"));
    assert_eq!(url, format!("postgres://hub:{password}@postgres:5432/orchestrator\n"));
    stdout(&init(&copy, &["postgres"], &[]));
    assert_eq!(read(&copy, "secrets/database_url"), url, "it stays");
}

#[test]
fn an_escalation_url_adds_the_escalation_receiver_and_its_absence_removes_it() {
    let (_folder, copy) = copied();
    let url = "https://hooks.example/T1/B2?x=1&y=2";
    stdout(&init(&copy, &[], &[("HUB_ESCALATION_URL", url), ("HUB_ESCALATION_TYPE", "slack")]));
    let contacts = read(&copy, "grafana/provisioning/alerting/contact-points.yaml");
    assert!(
        contacts.contains("type: slack")
            && contacts.contains("$__file{/run/secrets/escalation_url}"),
        "{contacts}"
    );
    assert_eq!(read(&copy, "secrets/escalation_url"), url);
    assert!(
        read(&copy, "grafana/provisioning/alerting/policies.yaml").contains("receiver: escalation")
    );
    assert!(!read(&copy, ".env").contains(url), ".env contains no secret");
    stdout(&init(&copy, &[], &[]));
    assert_eq!(read(&copy, "secrets/escalation_url"), url, "it stays");
    stdout(&init(&copy, &[], &[("HUB_ESCALATION_URL", "")]));
    assert!(!read(&copy, "grafana/provisioning/alerting/policies.yaml").contains("escalation"));
    assert_eq!(read(&copy, "secrets/escalation_url"), "");
}

#[test]
fn an_address_that_an_earlier_version_stored_in_the_settings_becomes_a_secret() {
    let (_folder, copy) = copied();
    fs::write(copy.join(".env"), "ENVIRONMENT=test\nHUB_ESCALATION_URL=https://a/b\n")
        .expect("old");
    stdout(&init(&copy, &[], &[]));
    assert_eq!(read(&copy, "secrets/escalation_url"), "https://a/b");
    assert!(!read(&copy, ".env").contains("HUB_ESCALATION_URL"));
}

/// Contact points: name of the secret, its value, type in Grafana, key in Alertmanager.
const CONTACTS: [(&str, &str, &str, &str); 6] = [
    ("slack_url", "https://hooks.slack.com/services/T/B/x", "slack", "slack_configs"),
    ("discord_url", "https://discord.com/api/webhooks/1/x", "discord", "discord_configs"),
    ("teams_url", "https://x.webhook.office.com/1", "teams", "msteamsv2_configs"),
    ("pagerduty_key", "0123456789abcdef0123456789abcdef", "pagerduty", "pagerduty_configs"),
    ("webhook_url", "https://alerts.example/x", "webhook", "webhook_configs"),
    ("smtp_password", "secret", "email", "email_configs"),
];

#[test]
fn each_contact_point_is_written_for_grafana_and_for_alertmanager_and_no_other() {
    for (name, value, kind, key) in CONTACTS {
        let (_folder, copy) = copied();
        let variable = format!("HUB_{}", name.to_uppercase());
        let mail = "ALERT_EMAIL_TO=a@example.com\nALERT_EMAIL_FROM=b@example.com\nALERT_SMTP_HOST=mail.example.com:587\nALERT_SMTP_USER=b\n";
        fs::write(copy.join(".env"), format!("ENVIRONMENT=test\n{mail}")).expect("edited");
        let heartbeat = ("HUB_HEARTBEAT_URL", "https://heartbeat.example/1");
        stdout(&init(&copy, &[], &[(&variable, value), heartbeat]));
        let contacts = yaml_of(&copy, "grafana/provisioning/alerting/contact-points.yaml");
        let people = named(&contacts["contactPoints"], "people");
        let receivers = list(&people["receivers"]);
        assert_eq!(receivers.len(), 1, "{people}");
        assert_eq!((&receivers[0]["uid"], &receivers[0]["type"]), (&name.into(), &kind.into()));
        assert_eq!(read(&copy, &format!("secrets/{name}")), value);
        let routes = read(&copy, "grafana/provisioning/alerting/policies.yaml");
        assert!(routes.contains("receiver: people") && routes.contains("receiver: heartbeat"));

        let alertmanager = yaml_of(&copy, "alertmanager/alertmanager.yml");
        let people = named(&alertmanager["receivers"], "people");
        let keys: Vec<&String> = people.as_object().expect("a receiver").keys().collect();
        assert_eq!(keys, ["name", key], "{people}");
        let alertmanager = alertmanager.to_string();
        assert!(!alertmanager.contains("ALERT_EMAIL"), "{alertmanager}");
        let used = contacts.to_string() + &alertmanager;
        assert!(!used.contains(value) || name == "smtp_password", "{name}: a secret in a file");
        assert!(!used.contains("escalation"), "{used}");
    }
}

fn yaml_of(folder: &Path, path: &str) -> Value {
    serde_yaml_ng::from_str(&read(folder, path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn named<'a>(receivers: &'a Value, name: &str) -> &'a Value {
    let found = list(receivers).iter().find(|receiver| receiver["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {receivers}"))
}

#[test]
fn init_rejects_unknown_commands_and_escalation_types() {
    let (_folder, copy) = copied();
    assert_eq!(init(&copy, &["nonsense"], &[]).status.code(), Some(2));
    assert_eq!(init(&copy, &["env"], &[]).status.code(), Some(1), "nothing to print yet");
    let wrong =
        init(&copy, &[], &[("HUB_ESCALATION_URL", "http://x"), ("HUB_ESCALATION_TYPE", "pigeon")]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("pigeon"));
}

#[test]
fn what_init_prints_for_eval_is_data_whatever_the_folder_and_the_settings_contain() {
    let (folder, copy) = copied();
    let odd = folder.path().join("it's $(touch ran) \"odd\"");
    fs::rename(&copy, &odd).expect("renamed");
    stdout(&init(&odd, &["host"], &[]));
    let script = "eval \"$(./init env)\"; cat \"$HUB_WEBHOOK_HMAC_SECRET_FILE\"";
    let evaluated = Command::new("sh").args(["-c", script]).current_dir(&odd).output();
    assert_eq!(stdout(&evaluated.expect("sh runs")), read(&odd, "secrets/webhook_hmac"));
    for value in ["a'; touch ran; echo '", "$(touch ran)", "a b", "", "a,b=c"] {
        fs::write(odd.join(".env"), format!("ENVIRONMENT={value}\n")).expect("edited");
        for command in ["env", "app", "host"] {
            let output = init(&odd, &[command], &[]);
            assert_eq!(output.status.code(), Some(2), "{value} {command}");
            assert!(output.stdout.is_empty(), "{value} {command}");
        }
        Command::new("sh").args(["-c", script]).current_dir(&odd).output().expect("sh runs");
        assert!(!odd.join("ran").exists(), "`{value}` was executed");
    }
}

#[test]
fn mail_without_addresses_is_rejected_because_the_delivery_would_not_start() {
    let (_folder, copy) = copied();
    let complete = [
        ("ALERT_EMAIL_TO", "a@example.com"),
        ("ALERT_EMAIL_FROM", "b@example.com"),
        ("ALERT_SMTP_HOST", "mail.example.com:587"),
    ];
    let written = |without: &str| {
        let lines = complete
            .map(|(name, value)| format!("{name}={}\n", if name == without { "" } else { value }));
        fs::write(copy.join(".env"), format!("ENVIRONMENT=test\n{}", lines.concat()))
            .expect("written");
    };
    let password = ("HUB_SMTP_PASSWORD", "secret");
    for (name, _) in complete {
        written(name);
        let output = init(&copy, &[], &[password]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(name), "{output:?}");
        assert!(!copy.join("alertmanager/alertmanager.yml").exists(), "nothing is written");
    }
    written("");
    stdout(&init(&copy, &[], &[password]));
    // The stored password has the same effect.
    written("ALERT_EMAIL_TO");
    assert_eq!(init(&copy, &[], &[]).status.code(), Some(2));
    stdout(&init(&copy, &[], &[("HUB_SMTP_PASSWORD", "")]));
}

#[test]
fn init_prints_the_address_of_grafana_and_the_command_that_applies_settings() {
    let (_folder, copy) = copied();
    let apply = "docker compose up -d --force-recreate grafana";
    let printed = stdout(&init(&copy, &[], &[]));
    assert!(printed.contains("Grafana: http://localhost:3001, user"), "{printed}");
    assert!(!printed.contains(apply), "nothing runs yet: {printed}");
    let settings = read(&copy, ".env");
    for (edited, expected) in [
        (settings.replace("GRAFANA_PORT=3001", "GRAFANA_PORT=3002"), "http://localhost:3002"),
        (settings.replace("GRAFANA_URL=", "GRAFANA_URL=https://g.example"), "https://g.example"),
    ] {
        fs::write(copy.join(".env"), edited).expect("edited");
        let printed = stdout(&init(&copy, &[], &[]));
        assert!(printed.contains(&format!("Grafana: {expected}, user")), "{printed}");
        assert!(printed.contains(apply), "{printed}");
    }
}

#[test]
fn init_stores_nothing_that_it_rejects() {
    let (_folder, copy) = copied();
    stdout(&init(&copy, &[], &[]));
    let before = read(&copy, ".env");
    for (name, value) in [
        ("HUB_ESCALATION_TYPE", "teams"),
        ("HUB_ESCALATION_URL", "https://a/\nEVIL=1"),
        ("HUB_ESCALATION_URL", "https://a/ b"),
        ("HUB_ESCALATION_URL", "https://a/'$(id)"),
        ("HUB_ESCALATION_URL", "ftp://a/"),
        ("HUB_SLACK_URL", "hooks.slack.com"),
        ("HUB_PAGERDUTY_KEY", "a b"),
    ] {
        assert_eq!(init(&copy, &[], &[(name, value)]).status.code(), Some(2), "{value}");
        assert_eq!(read(&copy, ".env"), before, "{value}");
    }
    stdout(&init(&copy, &[], &[]));
}

#[test]
fn a_secret_that_was_cut_is_replaced_and_a_chosen_one_is_kept() {
    let (_folder, copy) = copied();
    stdout(&init(&copy, &[], &[]));
    fs::write(copy.join("secrets/webhook_hmac"), "abc").expect("cut");
    fs::write(copy.join("secrets/api_token"), "chosen-by-the-user").expect("chosen");
    let again = init(&copy, &[], &[]);
    stdout(&again);
    assert!(String::from_utf8_lossy(&again.stderr).contains("secrets/webhook_hmac had 3 bytes"));
    assert_eq!(read(&copy, "secrets/webhook_hmac").len(), 40);
    assert_eq!(read(&copy, "secrets/api_token"), "chosen-by-the-user");
}

#[test]
fn a_new_password_beside_an_old_volume_is_reported_with_the_remedy() {
    let (_folder, copy) = copied();
    // A container engine with a volume of that name.
    let programs = copy.join("programs");
    fs::create_dir(&programs).expect("a folder");
    let engine = "#!/bin/sh\n[ \"$*\" = 'volume inspect hub-observability_grafana-data' ]\n";
    fs::write(programs.join("docker"), engine).expect("written");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(programs.join("docker"), executable).expect("executable");
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let remedy = "reset-admin-password";
    let first = init(&copy, &[], &[("PATH", &path)]);
    assert!(String::from_utf8_lossy(&first.stderr).contains(remedy), "{first:?}");
    let second = init(&copy, &[], &[("PATH", &path)]);
    assert!(!String::from_utf8_lossy(&second.stderr).contains(remedy), "the password is known");
}
