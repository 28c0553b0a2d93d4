//! The page in a browser: growth of open bars, hostile texts, many spans, accessibility.

use crate::kit::{self, PAYLOAD};
use fantoccini::key::Key;
use hub_otel::live::{Application, Approval};
use hub_otel_tests::browser::Browser;
use hub_otel_tests::poll;
use hub_otel_tests::receiver::Receiver;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanBuilder, Status, TraceContextExt as _, Tracer as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Returns an application whose only approval has `text` everywhere.
fn approvals(run: &'static str, text: &'static str) -> Application {
    let approval = move || {
        Approval::new("approval-1", run, SystemTime::now()).workflow(text).subject(text).input(text)
    };
    Application::new()
        .approvals(move || async move { vec![approval()] })
        .decide(|_| async { Ok(()) })
}

/// Width of the first bar that is open, in pixels.
const OPEN_WIDTH: &str =
    "return document.querySelector('.bar.open')?.getBoundingClientRect().right ?? 0";

#[tokio::test(flavor = "multi_thread")]
async fn an_open_bar_grows_and_the_run_finishes_on_the_page() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let url = telemetry.live_url().expect("served");
    browser.page.goto(&url).await.expect("the page");
    browser.wait_for_text("No run yet").await;
    let address = browser.page.current_url().await.expect("an address");
    assert!(!address.as_str().contains("token"), "{address}");

    let run = kit::workflow(&tracer, "review", "run-1");
    let mut ended = kit::child(&tracer, &run, "first".to_owned(), Vec::new());
    ended.end();
    browser.click(".run-row", "review").await;
    browser.wait("return document.querySelectorAll('.bar.open').length === 1").await;
    // The bar keeps the right end of the axis: the span that ended becomes smaller beside it.
    let share = "const [open, ended] = ['.bar.open', '.bar:not(.open)'].map((selector) =>
            document.querySelector(selector)?.style.width ?? '');
         return [open, ended, document.querySelector('.line .length').textContent]";
    let before = browser.run(share).await;
    poll::until_async(Duration::from_secs(30), async || browser.run(share).await[2] != before[2])
        .await;
    assert!(browser.run(OPEN_WIDTH).await.as_f64().is_some_and(|right| right > 0.0));
    kit::end(&run, "SUCCESS");
    browser.wait("return document.querySelectorAll('.bar.open').length === 0").await;
    browser
        .wait("return document.querySelector('.run-head .badge').textContent.includes('success')")
        .await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_in_ids_names_attributes_errors_log_lines_and_approvals_stays_text() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    telemetry.live_application(approvals(PAYLOAD, PAYLOAD));
    let run = kit::workflow(&tracer, PAYLOAD, PAYLOAD);
    kit::log(&telemetry, &run, PAYLOAD);
    let attributes = vec![
        KeyValue::new(PAYLOAD, PAYLOAD),
        KeyValue::new("error.type", PAYLOAD),
        KeyValue::new(
            "gen_ai.input.messages",
            format!("[{{\"role\":{PAYLOAD:?},\"content\":{PAYLOAD:?}}}]"),
        ),
    ];
    let mut child = kit::child(&tracer, &run, PAYLOAD.to_owned(), attributes);
    child.add_event("exception", vec![KeyValue::new("exception.message", PAYLOAD)]);
    child.set_status(Status::error(PAYLOAD));
    child.end();
    kit::end(&run, "FAILED");
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.click(".run-row", "<img").await;
    browser.click(".line:nth-child(2)", "<img").await;
    browser.wait("return document.querySelector('.details .exception pre')?.textContent.includes('<script>') === true").await;
    browser
        .wait("return document.querySelector('.logs p')?.textContent.includes('<script>') === true")
        .await;
    browser.wait("return document.querySelector('.wait .what b')?.textContent.includes('<script>') === true").await;
    let found =
        "return [window.hacked ?? 0, document.querySelectorAll('main img, main script').length]";
    assert_eq!(browser.run(found).await, serde_json::json!([0, 0]));
    browser.click("nav a", "Approvals").await;
    for part in ["h3", ".facts", "pre"] {
        browser.wait(&format!("return document.querySelector('.card {part}')?.textContent.includes('<script>') === true")).await;
    }
    assert_eq!(browser.run(found).await, serde_json::json!([0, 0]));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn few_of_two_thousand_spans_are_elements_and_all_are_reached_by_scrolling() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    kit::large_run(&telemetry);
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.click(".run-row", "review").await;
    let size = "return document.querySelector('.line')?.getAttribute('aria-setsize') === '2001'";
    browser.wait(size).await;
    // The rows that are inside of the list at each step, and the most elements.
    let script = "const rows = document.querySelector('[role=tree]');
         const seen = new Set();
         let most = 0;
         for (let top = 0; top < rows.scrollHeight; top += rows.clientHeight - 56) {
            rows.scrollTop = top;
            rows.dispatchEvent(new Event('scroll'));
            const all = rows.getBoundingClientRect();
            const lines = [...document.querySelectorAll('.line')];
            most = Math.max(most, lines.length);
            for (const line of lines) {
                const own = line.getBoundingClientRect();
                // Heights are fractions of a pixel, the scroll position is not.
                const isInside = own.top >= all.top - 1 && own.bottom <= all.bottom + 1;
                if (isInside) seen.add(line.dataset.key);
            }
         }
         return [seen.size, most];";
    let scrolled = browser.run(script).await;
    assert_eq!(scrolled[0], 2_001, "rows that were visible");
    assert!(scrolled[1].as_u64().is_some_and(|most| most < 100), "{scrolled} elements");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reconnects_after_a_restart_of_the_process() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let address = kit::base(&telemetry).replace("http://", "");
    kit::end(&kit::workflow(&kit::tracer(&telemetry), "before", "run-1"), "SUCCESS");
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.wait_for_text("before").await;
    telemetry.shutdown().await;
    browser.wait_for_text("The connection to the process is lost").await;
    let restarted = poll::until_async(Duration::from_secs(30), async || {
        kit::builder().live(address.clone()).build().ok()
    })
    .await;
    kit::end(&kit::workflow(&kit::tracer(&restarted), "after", "run-2"), "SUCCESS");
    browser.wait_for_text("after").await;
    browser.wait("return !document.body.innerText.includes('before') && document.getElementById('notice').hidden").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_whether_the_collector_responds_now() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let receiver = Receiver::start();
    let (name, endpoint) = ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint());
    let variables = [(name, endpoint.as_str()), ("OTEL_METRICS_EXPORTER", "none")];
    let builder = hub_otel::Telemetry::builder().env_source(variables).live_token(kit::TOKEN);
    let telemetry = builder.live("127.0.0.1:0").build().expect("it starts");
    let tracer = kit::tracer(&telemetry);
    let send = |run: &str| kit::end(&kit::workflow(&tracer, "review", run), "SUCCESS");
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.click("nav a", "Health").await;
    browser.wait_for_text("no request yet").await;
    send("run-1");
    browser.wait_for_text("responded to the last request").await;
    browser.wait_for_text("Collector: reachable").await;
    receiver.stop();
    send("run-2");
    browser.wait_for_text("Collector: not reachable, 1 span kept").await;
    browser.wait_for_text("is not reachable (").await;
    receiver.resume();
    browser.wait_for_text("Collector: reachable").await;
    browser.wait_for_text("responded to the last request").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_follow_the_accessibility_rules_in_both_schemes_and_all_widths() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let url = telemetry.live_url().expect("served");
    let base = kit::base(&telemetry);
    browser.page.goto(&format!("{base}/?token=another")).await.expect("the form");
    browser.wait_for_text("This token is not valid").await;
    let form = browser.violations().await;
    assert_eq!(form.unwrap_or_default(), [""; 0]);
    telemetry.live_application(approvals("open-run", "patcher"));
    browser.page.goto(&url).await.expect("the page");
    let empty = browser.violations().await;
    assert_eq!(empty.unwrap_or_default(), [""; 0]);
    for (number, status) in ["SUCCESS", "FAILED", "CANCELLED", "TIMED_OUT", "REJECTED", "SUSPENDED"]
        .into_iter()
        .enumerate()
    {
        let run = kit::workflow(&tracer, status, &format!("run-{number}"));
        let mut child = kit::child(&tracer, &run, "GET /".to_owned(), Vec::new());
        child.add_event("exception", vec![KeyValue::new("exception.message", "refused")]);
        child.set_status(Status::error("refused"));
        child.end();
        kit::log(&telemetry, &run, "a line");
        kit::end(&run, status);
    }
    let open = kit::workflow(&tracer, "open", "open-run");
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.emulate(width, 900, scheme).await;
        for view in ["#/runs", "#/runs/open-run", "#/runs/run-1", "#/approvals", "#/health"] {
            browser.page.goto(&format!("{base}/{view}")).await.expect("the view");
            browser.wait_for_text("connected").await;
            match view {
                "#/runs/run-1" => {
                    browser.click(".line", "GET /").await;
                    browser.wait("return document.querySelector('.exception') !== null").await;
                    browser.wait("return document.querySelector('.logs p') !== null").await;
                }
                "#/approvals" => {
                    browser.wait("return document.querySelector('.card .approve') !== null").await;
                }
                "#/health" => {
                    browser.wait("return document.querySelector('.chart-card') !== null").await;
                }
                _ => {}
            }
            let found = browser.violations().await.unwrap_or_default();
            assert_eq!(found, [""; 0], "{view} {width} {scheme}");
            let script = "return document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(browser.run(script).await, true, "{view} is wider than {width}");
        }
    }
    kit::end(&open, "SUCCESS");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_used_by_keyboard() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    for name in ["first", "second"] {
        let run = kit::workflow(&tracer, name, name);
        kit::record(&tracer, &run, "GET /".to_owned(), Vec::new());
        kit::end(&run, "SUCCESS");
    }
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.wait_for_text("second").await;
    let press = |selector: &str, key: &str| {
        format!(
            "const element = document.querySelector({selector:?}); element.focus();
             element.dispatchEvent(new KeyboardEvent('keydown', {{ key: {key:?}, bubbles: true }}));"
        )
    };
    browser.run(&press("[role=listbox]", "End")).await;
    browser.wait("return location.hash === '#/runs/first'").await;
    browser.wait("return document.querySelectorAll('.line').length === 2").await;
    browser.run(&press("[role=tree]", "Home")).await;
    browser.wait_for_text("workflow.trigger").await;
    browser.run(&press("[role=tree]", "ArrowLeft")).await;
    browser.wait("return document.querySelectorAll('.line').length === 1").await;
    browser.press(&['/']).await;
    browser.wait("return document.activeElement.matches('.find input')").await;
    browser.press(&[Key::Escape.into()]).await;
    browser.press(&[Key::Escape.into()]).await;
    browser.wait("return location.hash === '#/runs'").await;
    browser.press(&['/']).await;
    browser.wait("return document.activeElement.matches('.filters input')").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_counts_all_of_its_spans_and_its_arrow_is_clicked() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    let start = SystemTime::now();
    for number in 1..=70 {
        let builder = SpanBuilder::from_name(format!("SELECT {number}"))
            .with_start_time(start)
            .with_attributes([KeyValue::new("db.system.name", "sqlite")]);
        let mut statement = tracer.build_with_context(builder, &run);
        if number == 70 {
            statement.set_status(Status::error("locked"));
        }
        statement.end_with_timestamp(start + Duration::from_secs(1));
    }
    kit::end(&run, "SUCCESS");
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.click(".run-row", "review").await;
    browser.wait_for_text("70 statements").await;
    let group = "const line = document.querySelector('.line:nth-child(2)');
         return [line.querySelector('.note').textContent, line.querySelector('.length').textContent,
            line.querySelectorAll('.bar').length, line.title]";
    let expected =
        serde_json::json!(["1 failed, collapsed", "1 m 10 s", 60, "70 statements, failed"]);
    assert_eq!(browser.run(group).await, expected);
    browser.emulate(360, 900, "light").await;
    let note =
        "return getComputedStyle(document.querySelector('.line:nth-child(2) .note')).display";
    assert_ne!(browser.run(note).await, "none", "a failure is shown on a small screen");
    // The group is opened, then the run is closed and opened, without a change of the selection.
    for (line, lines) in [(2, 72), (2, 2), (1, 1), (1, 2)] {
        browser
            .run(&format!("document.querySelector('.line:nth-child({line}) .arrow').click()"))
            .await;
        let size = "return document.querySelector('.line').getAttribute('aria-setsize')";
        browser.wait(&format!("{size} === '{lines}'")).await;
    }
    let selected = "return document.querySelectorAll('.line.selected').length";
    assert_eq!(browser.run(selected).await, 0);
    let size = "const { width, height } = document.querySelector('.arrow').getBoundingClientRect();
         return width >= 24 && height >= 24";
    assert_eq!(browser.run(size).await, true);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_of_one_name_have_the_ends_of_their_ids() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    for (agent, id) in [("fault", "0197-aaaaaa"), ("fault", "0197/build"), ("other", "0197-cccccc")]
    {
        let attributes = [("agent.id", agent), ("agent.action", "act"), ("agent.run.id", id)];
        let attributes = attributes.map(|(key, value)| KeyValue::new(key, value)).to_vec();
        kit::record(&tracer, &run, "agent".to_owned(), attributes);
    }
    kit::end(&run, "SUCCESS");
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.click(".run-row", "review").await;
    browser.wait("return document.querySelectorAll('.line').length === 4").await;
    let notes =
        "return [...document.querySelectorAll('.line .note')].map((note) => note.textContent)";
    assert_eq!(browser.run(notes).await, serde_json::json!(["", "…aaaaaa", "build", ""]));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_added_one_by_one_and_are_of_the_span_or_of_the_run() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    kit::log(&telemetry, &run, "first line");
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.wait("return /^\\d\\d:\\d\\d · manual/.test(document.querySelector('.run-row .facts')?.textContent)").await;
    browser.click(".run-row", "review").await;
    browser.wait_for_text("first line").await;
    browser.run("window.line = document.querySelector('.logs p')").await;
    let child = kit::child(&tracer, &run, "GET /".to_owned(), Vec::new());
    let child = run.with_span(child);
    kit::log(&telemetry, &child, "second line");
    browser.wait_for_text("second line").await;
    browser.wait("return document.querySelector('.logs p') === line && document.querySelectorAll('.logs p').length === 2").await;
    browser.click(".line", "GET /").await;
    browser.wait_for_text("Logs of this span (1)").await;
    browser.wait("return document.querySelectorAll('.logs p').length === 1").await;
    browser.click(".log-panel button", "this run (2)").await;
    browser.wait_for_text("Logs of this run (2)").await;
    browser.wait("return document.querySelectorAll('.logs p').length === 2").await;
    browser.click(".log-panel button", "this span (1)").await;
    browser.wait_for_text("Logs of this span (1)").await;
    child.span().end();
    kit::end(&run, "SUCCESS");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_page_is_disconnected_and_a_visible_one_has_what_it_missed() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let clients = async |count: u64| {
        poll::until_async(Duration::from_secs(30), async || {
            let health = browser.run("return fetch('live/health').then((it) => it.json())").await;
            (health["clients"] == count).then_some(())
        })
        .await;
    };
    kit::end(&kit::workflow(&tracer, "before", "run-1"), "SUCCESS");
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.wait_for_text("before").await;
    clients(1).await;
    let hide = |is_hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ value: {is_hidden}, configurable: true }});
             const timer = window.setTimeout;
             window.setTimeout = (call, ms, ...rest) => timer(call, ms >= 30000 ? 0 : ms, ...rest);
             document.dispatchEvent(new Event('visibilitychange'));"
        )
    };
    browser.run(&hide(true)).await;
    clients(0).await;
    kit::end(&kit::workflow(&tracer, "meanwhile", "run-2"), "SUCCESS");
    browser.run(&hide(false)).await;
    browser.wait_for_text("meanwhile").await;
    browser.wait("return document.querySelectorAll('.run-row').length === 2").await;
    clients(1).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_of_no_run_is_not_found() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.wait_for_text("No run yet").await;
    for key in ["%", "%E0%A4%A", "gone"] {
        browser
            .page
            .goto(&format!("{}/#/runs/{key}", kit::base(&telemetry)))
            .await
            .expect("a view");
        browser.wait_for_text("This run is not in the store").await;
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_filtered_by_their_facts_and_leave_the_page_as_links_and_json() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let variables = [
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_HUB_LIVE_TRACE_URL", "http://localhost:16686/trace/{trace_id}"),
    ];
    let builder = hub_otel::Telemetry::builder().env_source(variables).live_token(kit::TOKEN);
    let telemetry = builder.live("127.0.0.1:0").build().expect("it starts");
    let tracer = kit::tracer(&telemetry);
    for (name, id, agent, error, status) in [
        ("review", "run-1", "scanner", None, "SUCCESS"),
        ("patch", "run-2", "patcher", Some("rate_limited"), "FAILED"),
    ] {
        let run = kit::workflow(&tracer, name, id);
        let agent = vec![
            KeyValue::new("agent.id", agent),
            KeyValue::new("agent.action", "act"),
            KeyValue::new("workflow.run.id", id),
        ];
        kit::record(&tracer, &run, "agent".to_owned(), agent);
        if let Some(error) = error {
            run.span().set_attribute(KeyValue::new("error.type", error));
        }
        kit::end(&run, status);
    }
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.wait("return document.querySelectorAll('.run-row').length === 2").await;
    for (text, status, found) in [
        ("patcher", "", "patch"),
        ("rate_limited", "", "patch"),
        ("run-1", "", "review"),
        ("REVIEW scan", "", "review"),
        ("", "failed", "patch"),
        ("act review", "", ""),
        ("review", "failed", ""),
    ] {
        let set = format!(
            "const [text, status] = document.querySelectorAll('.filters > *');
             [text.value, status.value] = [{text:?}, {status:?}];
             text.dispatchEvent(new Event('input')); status.dispatchEvent(new Event('change'));
             return [...document.querySelectorAll('.run-row .name')].map((name) => name.textContent).join();"
        );
        assert_eq!(browser.run(&set).await, found, "{text:?} {status:?}");
    }
    browser.page.goto(&format!("{}/#/runs/run-2", kit::base(&telemetry))).await.expect("a run");
    browser.click(".line", "patcher · act").await;
    browser.wait("return document.querySelector('.span-head button') !== null").await;
    let trace = browser.run("return document.querySelector('.ids dd').textContent").await;
    let trace = trace.as_str().expect("an id");
    let links = browser.run("return [...document.querySelectorAll('.tools a')].map((link) => link.getAttribute('href'))").await;
    let to_other_tool = format!("http://localhost:16686/trace/{trace}");
    assert_eq!(links, serde_json::json!(["live/trace?run=run-2", to_other_tool]));
    browser
        .run(
            "window.copied = [];
             navigator.clipboard.writeText = async (text) => { copied.push(text); };
             for (const button of document.querySelectorAll('.tools button, .span-head button')) button.click();",
        )
        .await;
    browser.wait("return copied.length === 3").await;
    let copied = browser.run("return copied.sort()").await;
    let text = |index: usize| copied[index].as_str().expect("a text");
    assert_eq!(text(0), trace);
    assert!(text(1).ends_with("/#/runs/run-2"), "{copied}");
    let span: serde_json::Value = serde_json::from_str(text(2)).expect("JSON");
    assert_eq!((&span["traceId"], &span["name"]), (&trace.into(), &"agent".into()));
    browser.close().await;
}

#[test]
fn the_page_is_small_and_names_no_other_server() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hub-otel/src/live/page");
    let mut lines = 0;
    for entry in std::fs::read_dir(folder).expect("the page") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{}", path.display());
        if path.extension().is_some_and(|extension| extension == "js") {
            lines += text.lines().count();
        }
    }
    assert!(lines <= 1_650, "{lines} lines of JavaScript");
}

#[test]
fn the_first_request_is_served_at_once() {
    let telemetry = kit::start();
    let began = Instant::now();
    assert_eq!(kit::get(&telemetry, "/").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5));
}
