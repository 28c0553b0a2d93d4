//! The webhook router against arbitrary requests: no 5xx, no panic, no leaked secret, and no run
//! without credentials.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use orchestrator::agents::builtin::{AgentSettings, builtin_agents};
use orchestrator::engine::{Engine, Options};
use orchestrator::security::{Secret, Secrets};
use orchestrator::store::sqlite::SqliteStore;
use orchestrator::webhook::route::{WebhookState, router};
use orchestrator::{seed, store};
use proptest::prelude::*;
use std::sync::Arc;
use tower::ServiceExt as _;

const TOKEN: &str = "the-token-that-is-secret";
const KEY: &str = "the-key-that-is-secret";

/// A protected and an open webhook with a store each, for all cases of this file.
struct Webhooks {
    runtime: tokio::runtime::Runtime,
    guarded: WebhookState,
    open: WebhookState,
}

static WEBHOOKS: LazyLock<Webhooks> = LazyLock::new(|| {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let state = |secrets: Secrets| {
        runtime.block_on(async {
            let store: Arc<dyn store::Store> =
                Arc::new(SqliteStore::open(":memory:").await.unwrap());
            let agents = builtin_agents(&AgentSettings::default(), &secrets).unwrap();
            seed::insert_seeds(&*store, &agents).await.unwrap();
            let engine = Engine::new(store, agents, Options::default());
            WebhookState::new(engine, &secrets, "127.0.0.1:9002".parse().unwrap())
        })
    };
    let secrets = Secrets {
        webhook_tokens: vec![Secret::from(TOKEN)],
        webhook_hmac_keys: vec![Secret::from(KEY)],
        ..Secrets::default()
    };
    let (guarded, open) = (state(secrets), state(Secrets::default()));
    Webhooks { runtime, guarded, open }
});

fn send(
    state: &WebhookState,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
) -> (StatusCode, String) {
    let mut request = Request::post("/api/webhooks/grafana").body(Body::from(body)).unwrap();
    for (name, value) in headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(&value))
        else {
            continue;
        };
        request.headers_mut().append(name, value);
    }
    WEBHOOKS.runtime.block_on(async {
        let response = axum::Router::from(router(state.clone())).oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    })
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let name = prop::sample::select(vec![
        "authorization",
        "x-grafana-alerting-signature",
        "x-grafana-alerting-timestamp",
        "content-type",
        "content-length",
        "origin",
    ]);
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "(Bearer|Basic|bearer|Digest) [ -~]{0,40}".prop_map(String::into_bytes),
        "[0-9a-fA-F]{0,70}".prop_map(String::into_bytes),
        "-?[0-9]{1,25}".prop_map(String::into_bytes),
        Just(TOKEN.as_bytes()[..20].to_vec()),
    ];
    (name.prop_map(str::to_owned), value)
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![
        ".{0,30}",
        Just("firing".to_owned()),
        Just("resolved".to_owned()),
        Just(String::new())
    ];
    let alert =
        (text.clone(), text.clone(), text.clone(), text.clone()).prop_map(|(status, name, url, print)| {
            serde_json::json!({
                "status": status, "fingerprint": print, "dashboardURL": url,
                "labels": { "alertname": name, "severity": print }, "annotations": { "summary": url },
            })
        });
    let payload = (text, prop::collection::vec(alert, 0..4)).prop_map(|(title, alerts)| {
        serde_json::json!({ "title": title, "alerts": alerts }).to_string().into_bytes()
    });
    prop_oneof![payload, prop::collection::vec(any::<u8>(), 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(256)
    })]

    #[test]
    fn a_request_without_credentials_is_rejected_without_a_leak(
        headers in prop::collection::vec(header(), 0..5), body in body(),
    ) {
        let (status, reply) = send(&WEBHOOKS.guarded, headers, body);
        prop_assert_eq!(status, StatusCode::UNAUTHORIZED, "{}", reply);
        prop_assert!(!reply.contains("is-secret"), "{}", reply);
        let runs = WEBHOOKS.runtime.block_on(async {
            let first = store::Page { limit: 1, after: None };
            WEBHOOKS.guarded.engine.store().runs("alert-notification", None, first).await.unwrap().entries
        });
        prop_assert!(runs.is_empty());
    }

    #[test]
    fn no_request_causes_a_5xx(headers in prop::collection::vec(header(), 0..4), body in body()) {
        let (status, reply) = send(&WEBHOOKS.open, headers, body.clone());
        prop_assert!(!status.is_server_error(), "{} {}", status, reply);
        prop_assert!(serde_json::from_str::<serde_json::Value>(&reply).unwrap().is_object(), "{}", reply);
        // With a credential too.
        let headers = vec![("authorization".to_owned(), format!("Bearer {TOKEN}").into_bytes())];
        let (status, reply) = send(&WEBHOOKS.open, headers, body);
        prop_assert!(!status.is_server_error(), "{} {}", status, reply);
    }
}
