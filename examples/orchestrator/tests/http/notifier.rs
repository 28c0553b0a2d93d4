//! The notifier against endpoints that answer, refuse, hang, limit and redirect.

use std::time::{Duration, Instant};

use orchestrator::agents::notifier::Notifier;
use orchestrator::agents::notifier::destination::Allowed;
use orchestrator::agents::{Agent as _, AgentContext, AgentError};
use orchestrator::security::{Secret, Secrets};
use serde_json::{Value, json};

use crate::chat::{Chat, ScriptedReply};

fn notifier(slack: Option<&Chat>, discord: Option<&Chat>) -> Notifier {
    let chats = [slack, discord];
    let hosts = chats.iter().flatten().map(|chat| chat.address.to_string()).collect();
    let secrets = Secrets {
        slack_webhook_url: slack.map(|chat| Secret::from(chat.url())),
        discord_webhook_url: discord.map(|chat| Secret::from(chat.url())),
        ..Secrets::default()
    };
    Notifier::new(&secrets, &Allowed { hosts, private: true }).unwrap()
}

async fn notify(notifier: &Notifier, input: Value) -> Result<Value, AgentError> {
    let context = AgentContext {
        action: "notify".into(),
        input,
        idempotency_key: "run/notify".into(),
        run_id: "run".into(),
        workflow: "scan-and-notify".into(),
        node: "notify".into(),
        attempt: 1,
    };
    notifier.execute(context).await
}

#[tokio::test]
async fn a_severity_goes_to_every_configured_chat_in_its_own_shape() {
    let (slack, discord) = (Chat::start(vec![]).await, Chat::start(vec![]).await);
    let notifier = notifier(Some(&slack), Some(&discord));
    let input =
        json!({ "channel": "critical", "message": "🚨 Alert: <Down> @everyone", "title": "Down" });
    let output = notify(&notifier, input).await.unwrap();
    assert_eq!(
        output["deliveries"],
        json!([{ "destination": "slack", "status": 200 }, { "destination": "discord", "status": 200 }])
    );
    let attachment = &slack.received()[0].body["attachments"][0];
    assert_eq!(attachment["text"], "🚨 Alert: &lt;Down&gt; @everyone");
    let sent = &discord.received()[0].body;
    assert_eq!(sent["allowed_mentions"], json!({ "parse": [] }));
    assert_eq!(sent["embeds"][0]["description"], "🚨 Alert: \\<Down\\> \\@everyone");
    assert_eq!(slack.received()[0].path, "/services/T0/B0/very-secret-path");
}

#[tokio::test]
async fn an_unknown_channel_uses_the_default_and_an_unconfigured_chat_is_an_error() {
    let notifier = notifier(None, None);
    let output = notify(&notifier, json!({ "channel": "a-made-up-severity", "message": "m" }))
        .await
        .unwrap();
    assert_eq!(output["deliveries"], json!([{ "destination": "console" }]));
    let error = notify(&notifier, json!({ "channel": "slack", "message": "m" })).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), ("channel_not_configured", false));
    assert!(error.message.contains("SLACK_WEBHOOK_URL"), "{}", error.message);
    for wrong in [
        json!({}),
        json!({ "message": " " }),
        json!({ "message": "m", "url": "https://evil.example" }),
    ] {
        assert_eq!(
            notify(&notifier, wrong.clone()).await.unwrap_err().kind,
            "invalid_input",
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn the_retry_after_of_a_chat_is_passed_to_the_engine() {
    let script = vec![
        ScriptedReply::RetryAfter(7),
        ScriptedReply::RetryAfterBody(0.25),
        ScriptedReply::Status(503),
        ScriptedReply::RetryAfter(86_400),
    ];
    let chat = Chat::start(script).await;
    let notifier = notifier(Some(&chat), None);
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(match notify(&notifier, json!({ "message": "m" })).await {
            Ok(_) => "delivered".to_owned(),
            Err(error) => {
                format!(
                    "{} retryable={} after={:?}",
                    error.kind, error.retryable, error.retry_after
                )
            }
        });
    }
    assert_eq!(
        seen,
        [
            "rate_limited retryable=true after=Some(7s)",
            "rate_limited retryable=true after=Some(250ms)",
            "unavailable retryable=true after=None",
            "rate_limited retryable=false after=None",
            "delivered",
        ]
    );
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_not_followed() {
    let inside = Chat::start(vec![]).await;
    let chat = Chat::start(vec![ScriptedReply::Redirect(format!(
        "http://{}/latest/meta-data",
        inside.address
    ))])
    .await;
    let error = notify(&notifier(Some(&chat), None), json!({ "message": "m" })).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), ("redirect_refused", false));
    assert_eq!(inside.received().len(), 0, "no request to the redirect target");
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_is_not_reached() {
    let chat = Chat::start(vec![]).await;
    let url = format!("https://localhost:{}/services/very-secret-path", chat.address.port());
    let secrets = Secrets { slack_webhook_url: Some(Secret::from(url)), ..Secrets::default() };
    let allowed = Allowed { hosts: vec!["localhost".into()], private: false };
    let notifier = Notifier::new(&secrets, &allowed).unwrap();
    let error = notify(&notifier, json!({ "message": "m" })).await.unwrap_err();
    assert_eq!(error.kind, "unreachable");
    assert!(error.message.contains("no public address"), "{}", error.message);
    assert!(!error.message.contains("secret"), "{}", error.message);
    assert_eq!(chat.received().len(), 0);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_up_and_tried_again() {
    let chat = Chat::start(vec![ScriptedReply::Hang]).await;
    let notifier = notifier(Some(&chat), None);
    let begun = Instant::now();
    let error = notify(&notifier, json!({ "message": "m" })).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), ("timeout", true));
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "the engine's own deadline never has to cut it off"
    );
    assert!(!error.message.contains("secret"), "{}", error.message);
    notify(&notifier, json!({ "message": "m" })).await.unwrap();
}

#[tokio::test]
async fn a_retry_does_not_deliver_twice() {
    let slack = Chat::start(vec![]).await;
    let discord = Chat::start(vec![ScriptedReply::Status(500), ScriptedReply::Status(500)]).await;
    let notifier = notifier(Some(&slack), Some(&discord));
    for _ in 0..2 {
        assert!(notify(&notifier, json!({ "message": "m" })).await.unwrap_err().retryable);
    }
    let output = notify(&notifier, json!({ "message": "m" })).await.unwrap();
    assert_eq!(output["deliveries"].as_array().unwrap().len(), 2);
    assert_eq!((slack.received().len(), discord.received().len()), (1, 3));
}

#[tokio::test]
async fn a_rejection_is_permanent_and_does_not_contain_the_url() {
    let chat = Chat::start(vec![ScriptedReply::Status(404)]).await;
    let error = notify(&notifier(Some(&chat), None), json!({ "message": "m" })).await.unwrap_err();
    assert_eq!((error.kind, error.retryable), ("refused", false));
    assert_eq!(error.message, "slack rejected the message with 404");
}
