//! alertmanager.yml as `init` writes it, checked by amtool.

use crate::copied::copied;
use crate::{text_of, tool};
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// Returns the file that `init` writes in a copy, and the folder of the copy.
fn init(variables: &[(&str, &str)]) -> (TempDir, String) {
    let (folder, copy) = copied();
    let mail = "ALERT_EMAIL_TO=a@example.com\nALERT_EMAIL_FROM=b@example.com\nALERT_SMTP_HOST=mail.example.com:587\nALERT_SMTP_USER=b\n";
    fs::write(copy.join(".env"), format!("ENVIRONMENT=test\n{mail}")).expect("written");
    let output = Command::new("sh")
        .arg(copy.join("init"))
        .envs(variables.iter().copied())
        .output()
        .expect("sh runs");
    assert!(output.status.success(), "{}", text_of(&output));
    let text = fs::read_to_string(copy.join("alertmanager/alertmanager.yml")).expect("generated");
    let template = copy.join("alertmanager/message.tmpl");
    (folder, text.replace("/etc/alertmanager/message.tmpl", &template.to_string_lossy()))
}

#[test]
#[ignore = "needs amtool: observability/tools/build"]
fn amtool_accepts_the_file_without_and_with_every_contact_point() {
    let all = [
        ("HUB_SLACK_URL", "https://hooks.slack.com/services/T/B/x"),
        ("HUB_DISCORD_URL", "https://discord.com/api/webhooks/1/x"),
        ("HUB_TEAMS_URL", "https://x.webhook.office.com/1"),
        ("HUB_PAGERDUTY_KEY", "0123456789abcdef0123456789abcdef"),
        ("HUB_WEBHOOK_URL", "https://alerts.example/x"),
        ("HUB_SMTP_PASSWORD", "secret"),
        ("HUB_ESCALATION_URL", "https://hooks.slack.com/services/T/B/y"),
        ("HUB_ESCALATION_TYPE", "slack"),
        ("HUB_HEARTBEAT_URL", "https://heartbeat.example/1"),
    ];
    for (variables, receivers) in [(&[] as &[_], 2), (&all as &[_], 5)] {
        let (folder, text) = init(variables);
        fs::write(folder.path().join("checked.yml"), text).expect("written");
        let amtool = |arguments: &[&str]| tool("amtool", arguments, folder.path(), &[]);
        let output = amtool(&["check-config", "checked.yml"]);
        let text = text_of(&output);
        assert!(output.status.success(), "{text}");
        assert!(text.contains(&format!("{receivers} receivers")), "{text}");
        assert!(text.contains("1 templates"), "{text}");
        let route = |labels: &[&str]| {
            let test = ["config", "routes", "test", "--config.file=checked.yml"];
            let output = amtool(&[&test, labels].concat());
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let reached = route(&["alertname=ServiceDown", "severity=critical"]);
        let watched = route(&["alertname=Watchdog", "severity=none"]);
        if variables.is_empty() {
            assert_eq!((&*reached, &*watched), ("webhook-notifier", "nobody"));
        } else {
            assert_eq!((&*reached, &*watched), ("escalation,people,webhook-notifier", "heartbeat"));
        }
    }
}
