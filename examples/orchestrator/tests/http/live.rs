//! The live view of a real server in a real browser.

use crate::server::{Server, TIMEOUT};
use hub_otel_tests::browser::Browser;
use hub_otel_tests::{http, poll};
use serde_json::{Value, json};

/// Attributes of the badge beside the name of the selected run.
const BADGE: &str = "document.querySelector('.run-head .badge')?.textContent";

/// Creates a workflow of one node of the agent `fault`.
async fn create(server: &Server, name: &str, action: &str, input: Value) {
    let node = json!({ "id": "step", "agent": "fault", "action": action, "input": input });
    let workflow = json!({ "name": name, "nodes": [node] });
    let (status, reply) = server.post("/api/workflows", &workflow).await;
    assert_eq!(status, 201, "{reply}");
}

async fn wait_for_badge(browser: &Browser, state: &str) {
    browser.wait(&format!("return {BADGE}?.includes('{state}') === true")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_watched_from_the_command_on_the_empty_page_to_its_end() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let server = Server::start(&[]).await;
    // The first line of the banner is the URL, the empty page shows the command.
    let banner = server.process.line(TIMEOUT, "live view");
    let url = banner.split_whitespace().last().unwrap();
    browser.page.goto(url).await.unwrap();
    browser.wait("return document.querySelector('.empty pre') !== null").await;
    let hint = browser.run("return document.querySelector('.empty pre').textContent").await;
    let request = hint.as_str().unwrap().strip_prefix("curl -X POST ").unwrap();
    let (trigger, rest) = request.split_once(" \\\n").unwrap();
    let body = rest.split_once("-d '").unwrap().1.trim_end_matches('\'');
    let reply = http::post(trigger, body);
    assert_eq!(reply.status, 202, "{hint}");
    let run = reply.json()["workflowRunId"].as_str().unwrap().to_owned();
    browser.click(".run-row", "scan-and-notify").await;
    wait_for_badge(&browser, "running").await;
    // The axis ends now: bars that have ended become smaller, open ones keep to its right end.
    let open = "return document.querySelectorAll('.bar.open').length === 2";
    browser.wait(open).await;
    let length = "document.querySelector('.line:has(.bar.open) .length')?.textContent";
    let before = browser.run(&format!("return {length}")).await;
    browser.wait(&format!("{open} && {length} !== {before}")).await;
    server.ended(&run).await;
    wait_for_badge(&browser, "success").await;
    browser.wait("return document.querySelectorAll('.bar.open').length === 0").await;
    // Statements are collapsed under the unit that made them.
    browser.wait("return [...document.querySelectorAll('.line')].some((line) => /^\\W*db\\d+ statements/.test(line.textContent))").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_given_on_the_page_and_the_run_continues() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let server = Server::start(&[]).await;
    let secret = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n";
    std::fs::write(server.folder.path().join("scanned/config.txt"), secret).unwrap();
    browser.page.goto(&server.url).await.unwrap();
    let run = server.trigger("patch-with-approval", &json!({})).await;
    browser.click(".run-row", "patch-with-approval").await;
    browser.wait_for_text("waits for an approval").await;
    browser.click("nav a", "Approvals").await;
    browser.wait_for_text("aws-access-key-id").await;
    browser.click(".card button", "Approve").await;
    browser.wait_for_text("No approval waits").await;
    let ended = server.ended(&run).await;
    assert_eq!(ended["status"], "SUCCESS", "{ended}");
    let (_, approvals) = server.get("/api/approvals").await;
    assert_eq!(approvals["approvals"][0]["decision"], "APPROVED", "{approvals}");
    browser.page.goto(&format!("{}/#/runs/{run}", server.url)).await.unwrap();
    wait_for_badge(&browser, "success").await;
    // Both segments on one axis.
    browser.wait_for_text("segments 2").await;
    let segments = "[...document.querySelectorAll('.line code')].filter((kind) => kind.textContent === 'workflow')";
    browser.wait(&format!("return {segments}.length === 2")).await;
    // A second one is rejected beside the waterfall.
    std::fs::write(server.folder.path().join("scanned/config.txt"), secret).unwrap();
    let run = server.trigger("patch-with-approval", &json!({})).await;
    browser.page.goto(&format!("{}/#/runs/{run}", server.url)).await.unwrap();
    browser.click(".wait button", "Reject").await;
    let ended = server.ended(&run).await;
    assert_eq!(ended["status"], "REJECTED", "{ended}");
    wait_for_badge(&browser, "rejected").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_shows_its_exception_with_its_causes_and_its_log_lines() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let hook = format!("http://127.0.0.1:{}/services/a/b", hub_otel_tests::ports::free());
    let server = Server::start(&[
        ("SLACK_WEBHOOK_URL", &hook),
        ("HUB_NOTIFY_ALLOW_HOST", hook.split('/').nth(2).unwrap()),
        ("HUB_NOTIFY_ALLOW_PRIVATE", "true"),
    ])
    .await;
    let notify = json!({ "name": "deliver", "nodes": [
        { "id": "send", "agent": "notifier", "action": "notify", "retry": { "maxAttempts": 1 },
          "input": { "channel": "slack", "message": "text" } },
    ] });
    assert_eq!(server.post("/api/workflows", &notify).await.0, 201);
    let run = server.trigger("deliver", &json!({})).await;
    server.ended(&run).await;
    browser.page.goto(&format!("{}/#/runs/{run}", server.url)).await.unwrap();
    wait_for_badge(&browser, "failed").await;
    browser.click(".line", "notifier · notify").await;
    // The message of the exception has the causes of the error, the last one from the system.
    let exception = "document.querySelector('.details .exception pre')?.textContent";
    browser.wait(&format!("return {exception}?.includes('slack') === true")).await;
    browser.wait(&format!("return {exception}.toLowerCase().includes('refused')")).await;
    let logs = "[...document.querySelectorAll('.logs .error')]";
    browser
        .wait(&format!("return {logs}.some((line) => line.textContent.includes('ERROR'))"))
        .await;
    let page = browser.run("return document.body.innerText").await;
    assert!(!page.as_str().unwrap().contains("/services/a/b"), "the path of a webhook is a secret");
    // The list shows the type of the error, and finds the run by it.
    let type_of_error = browser.run("return [...document.querySelectorAll('.fact')].find((fact) => fact.textContent.startsWith('error '))?.querySelector('b').textContent").await;
    let set = format!(
        "const text = document.querySelector('input[type=search]'); text.value = {type_of_error};
         text.dispatchEvent(new Event('input'));"
    );
    browser.run(&set).await;
    browser.wait("return document.querySelectorAll('.run-row').length === 1").await;
    browser.run(&set.replace(&type_of_error.to_string(), "'no such error'")).await;
    browser.wait_for_text("No run matches").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_on_the_page() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let server = Server::start(&[]).await;
    create(&server, "endless", "hang", json!({})).await;
    let run = server.trigger("endless", &json!({})).await;
    browser.page.goto(&format!("{}/#/runs/{run}", server.url)).await.unwrap();
    wait_for_badge(&browser, "running").await;
    browser.run("window.confirm = () => true").await;
    browser.click(".run-head button", "cancel run").await;
    let ended = server.ended(&run).await;
    assert_eq!(ended["status"], "CANCELLED", "{ended}");
    wait_for_badge(&browser, "cancelled").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reconnects_after_a_restart_of_the_server_and_shows_the_run_that_continues() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let mut server = Server::start(&[("HUB_DRAIN_TIMEOUT", "0s")]).await;
    create(&server, "slow", "succeed", json!({ "latency_ms": 2_000 })).await;
    let run = server.trigger("slow", &json!({})).await;
    browser.page.goto(&format!("{}/#/runs/{run}", server.url)).await.unwrap();
    wait_for_badge(&browser, "running").await;
    server.process.terminate();
    browser.wait_for_text("The connection to the process is lost").await;
    tokio::task::block_in_place(|| server.process.exit(TIMEOUT));
    server.start_again().await;
    // The server continues the run that it handed back.
    browser.wait("return document.getElementById('notice').hidden").await;
    server.ended(&run).await;
    wait_for_badge(&browser, "success").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_api_token_the_printed_url_becomes_a_cookie_and_other_requests_are_rejected() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let server = Server::start(&[("HUB_API_TOKEN", "a-token-of-the-api")]).await;
    let get = async |path: &str| {
        server.http.get(format!("{}{path}", server.url)).send().await.unwrap().status().as_u16()
    };
    assert_eq!(get("/").await, 401);
    assert_eq!(get("/live/updates").await, 401);
    assert_eq!(get("/live/updates?token=another-token").await, 401);
    // Without the token there is a form for it and no data.
    browser.page.goto(&server.url).await.unwrap();
    browser.wait_for_text("A token is required").await;
    let banner = server.process.line(TIMEOUT, "live view");
    browser.page.goto(banner.split_whitespace().last().unwrap()).await.unwrap();
    browser.wait_for_text("No run yet").await;
    let address = browser.page.current_url().await.unwrap();
    assert!(!address.as_str().contains("token"), "{address}");
    let cookies = browser.run("return document.cookie").await;
    assert_eq!(cookies, "", "scripts cannot read the cookie");
    browser.page.goto(&format!("{}/#/health", server.url)).await.unwrap();
    browser.wait_for_text("Slowest agents").await;
    browser.close().await;
}

#[tokio::test]
async fn without_a_token_pages_of_other_sites_cannot_act() {
    let server = Server::start(&[]).await;
    let request = server.http.post(format!("{}/live/cancel", server.url));
    let request = request.header("content-type", "application/json").body(r#"{"run":"a"}"#);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let foreign = request.try_clone().unwrap().header(name, value);
        assert_eq!(foreign.send().await.unwrap().status(), 403, "{name}: {value}");
    }
    let own = request.header("origin", &server.url).send().await.unwrap();
    assert_eq!(own.status(), 409, "the run does not exist");
    // Nothing was recorded about the page's own requests.
    let updates = poll::until_async(TIMEOUT, async || {
        let (status, updates) = server.get("/live/updates").await;
        (status == 200).then_some(updates)
    })
    .await;
    assert_eq!(updates["totals"]["started"], 0, "{updates}");
}
