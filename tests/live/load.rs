//! Ten thousand runs at the same time: counters and memory. Two thousand spans of a run: times.

use crate::kit;
use hub_otel::Telemetry;
use hub_otel_tests::browser::Browser;
use hub_otel_tests::http::{self, Method};
use hub_otel_tests::process::Process;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use std::io::Read as _;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Barrier, Notify};

const RUNS: usize = 10_000;
const MIB: u64 = 1024 * 1024;

#[test]
fn ten_thousand_concurrent_runs_are_counted_and_the_content_stays_within_its_limit() {
    let telemetry = kit::start();
    let tracer = kit::tracer(&telemetry);
    let start = |number| kit::workflow(&tracer, "review", &format!("run-{number}"));
    let runs: Vec<_> = (0..RUNS).map(start).collect();
    let updates = kit::get(&telemetry, "/live/updates").json();
    assert_eq!(updates["totals"]["running"], RUNS);
    // Spans of the application: with too many of them some are dropped, and no run is lost.
    let application = hub_otel::otel::tracer_provider(&telemetry).tracer("application");
    for run in &runs {
        let statement = KeyValue::new("db.system.name", "sqlite");
        kit::record(&application, run, "SELECT runs".to_owned(), vec![statement]);
    }
    runs.iter().for_each(|run| kit::end(run, "SUCCESS"));
    let updates = kit::get(&telemetry, "/live/updates").json();
    let totals = &updates["totals"];
    assert_eq!((&totals["started"], &totals["success"]), (&RUNS.into(), &RUNS.into()));
    let bytes = updates["bytes"].as_u64().expect("a size");
    println!("{RUNS} runs: {bytes} bytes, {}", updates["dropped"]);
    assert!(bytes <= updates["limit"].as_u64().expect("a limit"));
}

/// Runs a test of this program in a process of its own. Returns its peak of anonymous memory.
fn peak_of(test: &str) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.args(["--exact", test, "--ignored", "--nocapture"]);
    let mut process = Process::spawn(&mut child);
    let status = process.exit(Duration::from_secs(120));
    let output = process.stdout();
    assert!(status.success(), "{output}");
    let line = output.lines().find_map(|line| line.split_once("peak ")).expect("a figure");
    line.1.trim().parse().expect("a number")
}

#[test]
#[ignore = "a figure of docs/performance.md: the allocator decides it, and the build"]
fn with_a_page_open_ten_thousand_runs_take_bounded_memory() {
    let without = peak_of("load::without_the_view");
    let with = peak_of("load::with_the_view_and_a_page");
    println!("{RUNS} runs: {} MiB without, {} MiB with the view", without / MIB, with / MIB);
    // About 20 MiB of content, and the inbox while the thread of the library is behind: more than
    // that on a machine that other programs use.
    assert!(with <= without + 32 * MIB, "{without} bytes without, {with} with the view");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child of the test above"]
async fn without_the_view() {
    run_all(false).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a child of the test above"]
async fn with_the_view_and_a_page() {
    run_all(true).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "figures of docs/performance.md: the machine decides them"]
async fn first_paint_and_scrolling_of_two_thousand_spans() {
    let Some(browser) = Browser::start(1280, 900).await else { return };
    let telemetry = kit::start();
    kit::large_run(&telemetry);
    browser.page.goto(&telemetry.live_url().expect("served")).await.expect("the page");
    browser.wait_for_text("review").await;
    // Measured inside the page, from the click to the last row of the tree.
    let script = "const done = arguments[arguments.length - 1];
         const start = performance.now();
         document.querySelector('.run-row').click();
         const check = () => {
            const line = document.querySelector('.line');
            if (line?.getAttribute('aria-setsize') === '2001') done(performance.now() - start);
            else requestAnimationFrame(check);
         };
         check();";
    let painted = browser.page.execute_async(script, Vec::new()).await.expect("painted");
    println!("2,001 spans painted in {:.0} ms", painted.as_f64().expect("a time"));
    let script = "const rows = document.querySelector('[role=tree]');
         const start = performance.now();
         for (let top = 0; top < 40000; top += 2000) {
            rows.scrollTop = top; rows.dispatchEvent(new Event('scroll')); rows.offsetHeight;
         }
         return (performance.now() - start) / 20;";
    let step = browser.run(script).await;
    println!("a step of scrolling takes {:.1} ms", step.as_f64().expect("a time"));
    // From the first character to the number of matches in attributes of all spans.
    let script = "const done = arguments[arguments.length - 1];
         const start = performance.now();
         const [field, status] = ['.find input', '.find [aria-live]']
            .map((selector) => document.querySelector(selector));
         field.value = 'gen_ai.operation.name=chat';
         field.dispatchEvent(new Event('input'));
         const check = () => {
            if (status.textContent === '1,000 found') done(performance.now() - start);
            else requestAnimationFrame(check);
         };
         check();";
    let found = browser.page.execute_async(script, Vec::new()).await.expect("found");
    println!("1,000 matches found in {:.0} ms", found.as_f64().expect("a time"));
    browser.close().await;
}

/// Returns the counters of the page, without parsing the runs beside them.
fn totals(telemetry: &Telemetry) -> serde_json::Value {
    let reply = kit::get(telemetry, "/live/updates").body;
    let totals = reply.split_once("\"totals\":").expect("counters").1;
    let end = totals.find('}').expect("an object");
    serde_json::from_str(&totals[..=end]).expect("JSON")
}

/// Holds ten thousand runs open, each with an agent, and ends them.
async fn run_all(is_live: bool) {
    let builder = kit::builder();
    let builder = if is_live { builder.live("127.0.0.1:0") } else { builder };
    let telemetry = builder.install().expect("it starts");
    // The client of the test has several megabytes of its own, in both processes.
    let scrape = http::try_send(Method::GET, "http://127.0.0.1:0/", &[], "");
    assert!(scrape.is_err(), "{scrape:?}");
    if is_live {
        let mut page = crate::stream::events(&kit::base(&telemetry), "", None);
        std::thread::spawn(move || while page.read(&mut [0; 65_536]).is_ok_and(|read| read > 0) {});
    }
    let (all, end) = (Arc::new(Barrier::new(RUNS + 1)), Arc::new(Notify::new()));
    let runs: Vec<_> = (0..RUNS)
        .map(|_| {
            let (all, end) = (Arc::clone(&all), Arc::clone(&end));
            tokio::spawn(hub_otel::workflow("review").run(async move {
                let ended = end.notified();
                hub_otel::agent("scanner", "scan").run(async { _ = all.wait().await }).await;
                ended.await;
            }))
        })
        .collect();
    all.wait().await;
    if is_live {
        assert_eq!(totals(&telemetry)["running"], RUNS);
    }
    end.notify_waiters();
    for run in runs {
        run.await.expect("no panic");
    }
    if is_live {
        assert_eq!(totals(&telemetry)["success"], RUNS);
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak: u64 = peak.trim_end_matches("kB").trim().parse().expect("a number");
    println!("peak {}", peak * 1024);
    telemetry.shutdown().await;
}
