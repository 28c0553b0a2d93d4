//! Find and zoom in a run, in a browser, with its keyboard.

use crate::kit;
use fantoccini::key::Key;
use hub_otel::Telemetry;
use hub_otel_tests::browser::Browser;
use opentelemetry::trace::{Span as _, SpanBuilder, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use serde_json::json;
use std::time::{Duration, SystemTime};

/// Waits until the page shows a text in the live region, marks these rows and selects this one.
async fn wait_for(browser: &Browser, [count, marked, selected]: [&str; 3]) {
    let expected = json!([count, marked, selected]).to_string();
    browser
        .wait(&format!(
            "const name = (row) => row?.querySelector('.name').textContent ?? '';
             const found = [document.querySelector('.find [aria-live]').textContent,
                [...document.querySelectorAll('.line.match')].map(name).join(),
                name(document.querySelector('.line.selected'))];
             return JSON.stringify(found) === JSON.stringify({expected});"
        ))
        .await;
}

/// Opens the page and its only run.
async fn open(browser: &Browser, telemetry: &Telemetry) {
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.click(".run-row", "review").await;
    browser.wait("return document.querySelector('.line') !== null").await;
}

/// Moves the focus into the field and enters a text.
async fn search(browser: &Browser, text: &str) {
    browser.press(&['/']).await;
    browser.type_text(text).await;
}

fn note(text: &'static str) -> Vec<KeyValue> {
    vec![KeyValue::new("gen_ai.operation.name", "embeddings"), KeyValue::new("note", text)]
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_found_by_name_attribute_exception_and_log_line_below_closed_rows_too() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    let first = run.with_span(kit::child(&tracer, &run, "chat one".into(), note("Blue whale")));
    for table in ["runs", "agents"] {
        let attributes = vec![KeyValue::new("db.system.name", "sqlite")];
        kit::record(&tracer, &first, format!("SELECT {table}"), attributes);
    }
    first.span().end();
    let mut second = kit::child(&tracer, &run, "chat two".into(), note("krill"));
    second.add_event("exception", vec![KeyValue::new("exception.message", "not reachable")]);
    second.set_status(Status::error("refused"));
    let second = run.with_span(second);
    kit::log(&telemetry, &second, "sent again at noon");
    second.span().end();
    kit::end(&run, "SUCCESS");
    open(&browser, &telemetry).await;
    browser.wait("return document.querySelectorAll('.logs p').length === 1").await;
    for (text, count, marked) in [
        ("CHAT O", "1 found", "chat one"),
        ("chat", "2 found", "chat one,chat two"),
        ("blue whale", "1 found", "chat one"),
        ("note=krill", "1 found", "chat two"),
        ("not reachable", "1 found", "chat two"),
        ("refused", "1 found", "chat two"),
        ("at noon", "1 found", "chat two"),
        (".*", "0 found", ""),
        ("select", "2 found", ""),
    ] {
        search(&browser, text).await;
        wait_for(&browser, [count, marked, ""]).await;
        browser.press(&[Key::Escape.into()]).await;
        wait_for(&browser, ["", "", ""]).await;
    }
    search(&browser, "select").await;
    // The group of statements is opened, then the ends are connected.
    let both = "SELECT runs,SELECT agents";
    let (next, previous) = ([Key::Enter.into()], [Key::Shift.into(), Key::Enter.into()]);
    for (keys, count, selected) in [
        (&next[..], "1 of 2", "SELECT runs"),
        (&next[..], "2 of 2", "SELECT agents"),
        (&next[..], "1 of 2", "SELECT runs"),
        (&previous[..], "2 of 2", "SELECT agents"),
        (&previous[..], "1 of 2", "SELECT runs"),
    ] {
        browser.press(keys).await;
        wait_for(&browser, [count, both, selected]).await;
    }
    browser.click(".line .arrow", "▾").await;
    browser.wait("return document.querySelectorAll('.line').length === 1").await;
    wait_for(&browser, ["1 of 2", "", ""]).await;
    browser.press(&next).await;
    wait_for(&browser, ["2 of 2", both, "SELECT agents"]).await;
    browser.wait_for_text("sqlite").await;
    // The texts were requested once; the log line is the one from before.
    assert_eq!(browser.run("return document.querySelectorAll('.logs p').length").await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_and_log_lines_that_arrive_during_a_search_are_counted() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    kit::log(&telemetry, &run, "begins");
    open(&browser, &telemetry).await;
    search(&browser, "needle").await;
    wait_for(&browser, ["0 found", "", ""]).await;
    kit::record(&tracer, &run, "needle".into(), note("hay"));
    wait_for(&browser, ["1 found", "needle", ""]).await;
    kit::record(&tracer, &run, "hay".into(), note("a needle in it"));
    wait_for(&browser, ["2 found", "needle,hay", ""]).await;
    browser.press(&[Key::Enter.into()]).await;
    wait_for(&browser, ["1 of 2", "needle,hay", "needle"]).await;
    kit::log(&telemetry, &run, "a needle was logged");
    wait_for(&browser, ["2 of 3", "review,needle,hay", "needle"]).await;
    browser.click(".line", "hay").await;
    wait_for(&browser, ["3 of 3", "review,needle,hay", "hay"]).await;
    browser.wait("return document.querySelectorAll('.logs p').length === 2").await;
    kit::end(&run, "SUCCESS");
    wait_for(&browser, ["3 of 3", "review,needle,hay", "hay"]).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_among_two_thousand_spans_is_scrolled_into_view() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    kit::large_run(&telemetry);
    open(&browser, &telemetry).await;
    search(&browser, "POST 99").await;
    // `POST 99` and `POST 990` to `POST 999`.
    wait_for(&browser, ["11 found", "", ""]).await;
    for (keys, count, name) in [
        (&[Key::Enter.into()][..], "1 of 11", "POST 99"),
        (&[Key::Shift.into(), Key::Enter.into()][..], "11 of 11", "POST 999"),
    ] {
        browser.press(keys).await;
        browser
            .wait(&format!(
                "const line = document.querySelector('.line.selected');
                 const [own, all] = [line, document.querySelector('[role=tree]')]
                    .map((element) => element?.getBoundingClientRect());
                 return line?.querySelector('.name').textContent === '{name}'
                    && own.top >= all.top - 1 && own.bottom <= all.bottom + 1
                    && document.querySelector('.find [aria-live]').textContent === '{count}';"
            ))
            .await;
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markup_as_a_query_and_in_what_it_finds_stays_text() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    for name in [kit::PAYLOAD, "GET /"] {
        let attributes = vec![KeyValue::new(kit::PAYLOAD, kit::PAYLOAD)];
        let below = run.with_span(kit::child(&tracer, &run, name.to_owned(), attributes));
        kit::log(&telemetry, &below, kit::PAYLOAD);
        // Rows that are not in a group.
        kit::record(&tracer, &below, "below".to_owned(), Vec::new());
        below.span().end();
    }
    kit::end(&run, "SUCCESS");
    open(&browser, &telemetry).await;
    search(&browser, kit::PAYLOAD).await;
    let both = format!("{},GET /", kit::PAYLOAD);
    wait_for(&browser, ["2 found", &both, ""]).await;
    browser.press(&[Key::Enter.into()]).await;
    wait_for(&browser, ["1 of 2", &both, kit::PAYLOAD]).await;
    browser.press(&[Key::Escape.into()]).await;
    browser.press(&['z']).await;
    browser.wait("return document.querySelector('.range').textContent.includes('<img')").await;
    let found =
        "return [window.hacked ?? 0, document.querySelectorAll('main img, main script').length]";
    assert_eq!(browser.run(found).await, json!([0, 0]));
    browser.close().await;
}

/// Records two spans of a second each, one after the other.
fn record_two_seconds(tracer: &opentelemetry_sdk::trace::SdkTracer, run: &Context) {
    let start = SystemTime::now();
    for (name, from) in [("first", start), ("second", start + Duration::from_secs(1))] {
        let builder =
            SpanBuilder::from_name(name).with_start_time(from).with_attributes(note(name));
        let mut span = tracer.build_with_context(builder, run);
        span.end_with_timestamp(from + Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_axis_is_the_time_of_a_span_until_the_whole_run_is_shown_again() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    record_two_seconds(&tracer, &run);
    kit::end(&run, "SUCCESS");
    open(&browser, &telemetry).await;
    let wait_for = async |range: &str, is_fine: bool, bars: [&str; 2]| {
        let bars = json!(bars);
        browser
            .wait(&format!(
                "const bars = [...document.querySelectorAll('.bar')].slice(1);
                 const range = document.querySelector('.range').textContent;
                 return range.startsWith('{range}') && (range === '') === ('{range}' === '')
                    && document.querySelector('.ticks').textContent.includes('200 ms') === {is_fine}
                    && JSON.stringify(bars.map((bar) => bar.className)) === JSON.stringify({bars});"
            ))
            .await;
    };
    let whole = ["bar llm", "bar llm"];
    wait_for("", false, whole).await;
    // Without a selected row the key has no effect.
    browser.press(&['z']).await;
    wait_for("", false, whole).await;
    search(&browser, "second").await;
    browser.press(&[Key::Enter.into()]).await;
    browser.press(&[Key::Escape.into()]).await;
    browser.press(&['z']).await;
    let second = ["bar outside cut-left", "bar llm"];
    wait_for("zoom: second, 1.", true, second).await;
    browser.press(&['0']).await;
    wait_for("", false, whole).await;
    // In the field it is a character.
    search(&browser, "z0").await;
    wait_for("", false, whole).await;
    browser.press(&[Key::Escape.into()]).await;
    browser.click(".line", "first").await;
    browser.wait("return document.querySelector('.details h3')?.textContent === 'llm first'").await;
    browser.click(".details button", "zoom to this span").await;
    wait_for("zoom: first, ", true, ["bar llm", "bar outside cut-right"]).await;
    browser.run("document.querySelector('.find > button').focus()").await;
    browser.press(&[Key::Enter.into()]).await;
    wait_for("", false, whole).await;
    // The button is hidden: the focus is not lost.
    browser.wait("return document.activeElement.getAttribute('role') === 'tree'").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_and_a_zoom_follow_the_accessibility_rules() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let run = kit::workflow(&tracer, "review", "run-1");
    record_two_seconds(&tracer, &run);
    kit::end(&run, "FAILED");
    open(&browser, &telemetry).await;
    search(&browser, "llm").await;
    wait_for(&browser, ["0 found", "", ""]).await;
    browser.press(&[Key::Escape.into()]).await;
    browser.wait("return document.activeElement.getAttribute('role') === 'tree'").await;
    assert_eq!(browser.run("return location.hash").await, "#/runs/run-1");
    search(&browser, "embeddings").await;
    browser.press(&[Key::Enter.into()]).await;
    wait_for(&browser, ["1 of 2", "first,second", "first"]).await;
    for name in ["Previous", "Next"] {
        browser.press(&[Key::Tab.into()]).await;
        let label = "return document.activeElement.getAttribute('aria-label')";
        let label = browser.run(label).await;
        assert!(label.as_str().is_some_and(|label| label.starts_with(name)), "{label}");
    }
    browser.press(&['z']).await;
    browser.wait("return document.querySelector('.range').textContent !== ''").await;
    let marks = "const style = getComputedStyle(document.querySelector('.match .name'));
         return style.textDecorationLine";
    assert_eq!(browser.run(marks).await, "underline", "a mark that is not a colour");
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
        browser.emulate(width, 900, scheme).await;
        let found = browser.violations().await.unwrap_or_default();
        assert_eq!(found, [""; 0], "{width} {scheme}");
        let script = "return document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.run(script).await, true, "the run is wider than {width}");
    }
    browser.close().await;
}
