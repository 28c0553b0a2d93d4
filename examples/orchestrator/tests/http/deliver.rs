//! A chat that misbehaves, as a run of a real server meets it.

use crate::chat::{Chat, ScriptedReply};
use crate::server::Server;
use serde_json::{Value, json};

async fn server(chat: &Chat) -> Server {
    let (url, host) = (chat.url(), chat.address.to_string());
    let variables = [
        ("SLACK_WEBHOOK_URL", &*url),
        ("HUB_NOTIFY_ALLOW_HOST", &*host),
        ("HUB_NOTIFY_ALLOW_PRIVATE", "true"),
    ];
    Server::start(&variables).await
}

/// An alert's run, once it has ended; and how often its node was tried.
async fn alerted(server: &Server) -> (Value, u64) {
    let alert =
        json!({ "status": "firing", "fingerprint": "f", "labels": { "alertname": "Down" } });
    let (status, response) =
        server.webhook("POST", &[], json!({ "alerts": [alert] }).to_string()).await;
    assert_eq!(status, 200, "{response}");
    let run = server.ended(response["workflowRunId"].as_str().unwrap()).await;
    let attempts = run["nodes"][0]["attempts"].as_u64().unwrap();
    assert!(!run.to_string().contains("very-secret"), "{run:#}");
    (run, attempts)
}

#[tokio::test]
async fn a_request_that_hangs_times_out_and_the_next_attempt_delivers() {
    let chat = Chat::start(vec![ScriptedReply::Hang]).await;
    let server = server(&chat).await;
    let (run, attempts) = alerted(&server).await;
    assert_eq!((&run["status"], attempts), (&json!("SUCCESS"), 2), "{run:#}");
    let retries =
        server.scrape().await.value("agent_retry_count_total", &[("agent_id", "alert-notifier")]);
    assert_eq!((retries, chat.received().len()), (Some(1.0), 2));
}

#[tokio::test]
async fn retry_after_is_respected() {
    let chat = Chat::start(vec![ScriptedReply::RetryAfter(2), ScriptedReply::Status(503)]).await;
    let server = server(&chat).await;
    let begun = std::time::Instant::now();
    let (run, attempts) = alerted(&server).await;
    assert_eq!((&run["status"], attempts), (&json!("SUCCESS"), 3), "{run:#}");
    assert!(begun.elapsed() >= std::time::Duration::from_secs(2), "429 is obeyed");
    for received in chat.received() {
        for name in ["traceparent", "tracestate", "baggage"] {
            assert!(!received.headers.contains_key(name), "{name} was sent to a chat");
        }
    }
}

#[tokio::test]
async fn a_redirect_to_a_private_address_fails_the_run_and_is_not_followed() {
    let inside = Chat::start(vec![]).await;
    let chat = Chat::start(vec![ScriptedReply::Redirect(format!(
        "http://{}/latest/meta-data",
        inside.address
    ))])
    .await;
    let server = server(&chat).await;
    let (run, attempts) = alerted(&server).await;
    assert_eq!(
        (&run["status"], &run["errorType"], attempts),
        (&json!("FAILED"), &json!("redirect_refused"), 1)
    );
    assert_eq!((inside.received().len(), chat.received().len()), (0, 1));
}
