//! Commands that run one scenario in this process: `run NAME N`, `emit NAME N`,
//! `scrape NAME SERIES TIMES`, `scrape_allocations NAME SERIES`, `allocations NAME`, `live NAME`
//! and `time NAME`.

use crate::count::{all_allocations, allocations, bytes_in_use};
use crate::scenario::Scenario;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Instant;

/// Units before a measurement.
const WARM_UP: usize = 100;

/// Runs the command of the program's arguments. `prepare` prepares the scenario of a name.
pub fn run_command(prepare: fn(&str) -> Scenario) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run", name, units] => {
            let mut scenario = prepare(name);
            run_units(&mut scenario.unit, number(units));
            (scenario.stop)();
        }
        ["emit", name, units] => {
            let mut scenario = prepare(name);
            (0..number(units)).for_each(&mut scenario.unit);
            print!("{}", scrape(&scenario));
            (scenario.stop)();
        }
        ["scrape", name, series, times] => {
            let mut scenario = prepare(name);
            (0..number(series)).for_each(&mut scenario.unit);
            (0..number(times)).for_each(|_| assert!(next_scrape(&scenario).contains("id-1\"")));
            (scenario.stop)();
        }
        ["scrape_allocations", name, series] => {
            let mut scenario = prepare(name);
            (0..number(series)).for_each(&mut scenario.unit);
            // The first ones allocate what later ones use again. Spans are exported meanwhile.
            (0..5).for_each(|_| drop(next_scrape(&scenario)));
            let least = (0..5).map(|_| {
                let (all, own) = (all_allocations(), allocations());
                let page = next_scrape(&scenario);
                let made = all_allocations() - all - (allocations() - own);
                drop(page);
                made
            });
            println!("{}", least.min().expect("five scrapes"));
            (scenario.stop)();
        }
        ["allocations", name] => {
            let mut scenario = prepare(name);
            (0..WARM_UP).for_each(&mut scenario.unit);
            let before = allocations();
            (0..1_000).for_each(&mut scenario.unit);
            println!("{}", (allocations() - before) as f64 / 1_000.0);
            (scenario.stop)();
        }
        ["live", name] => println!("{}", live_bytes(prepare(name))),
        ["time", name] => {
            let mut scenario = prepare(name);
            (0..WARM_UP).for_each(&mut scenario.unit);
            // The minimum of 20 measurements, because other load of the machine only adds time.
            let best = (0..20).map(|_| {
                let started = Instant::now();
                (0..1_000).for_each(&mut scenario.unit);
                started.elapsed().as_nanos() as f64 / 1_000.0
            });
            println!("{:.0}", best.fold(f64::INFINITY, f64::min));
            (scenario.stop)();
        }
        _ => {
            eprintln!(
                "run NAME N | emit NAME N | scrape NAME SERIES TIMES | scrape_allocations NAME SERIES | \
                 allocations NAME | live NAME | time NAME"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Runs units. callgrind counts the instructions of this function as those of the caller.
#[inline(never)]
pub fn run_units(unit: &mut dyn FnMut(usize), units: usize) {
    (0..units).for_each(unit);
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

/// Returns the text of `/metrics`, rendered anew: hub-otel keeps a page for 200 ms.
fn next_scrape(scenario: &Scenario) -> String {
    std::thread::sleep(std::time::Duration::from_millis(210));
    scrape(scenario)
}

/// Returns the text of `/metrics`.
pub(crate) fn scrape(scenario: &Scenario) -> String {
    let Some(address) = scenario.metrics_address else { return String::new() };
    let mut stream = TcpStream::connect(address).expect("`/metrics` is served");
    let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a reply");
    text
}

/// Returns the bytes of one unit in progress: its future and what it holds.
fn live_bytes(mut scenario: Scenario) -> isize {
    const UNITS: isize = 1_000;
    (0..WARM_UP).for_each(&mut scenario.unit);
    let before = bytes_in_use();
    let pending = scenario.pending.as_ref().expect("the scenario has a pending unit");
    let mut units: Vec<_> = (0..UNITS).map(|_| pending()).collect();
    let list = (UNITS as usize * size_of_val(&units[0])) as isize;
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for unit in &mut units {
        assert!(unit.as_mut().poll(&mut context).is_pending());
    }
    let bytes = (bytes_in_use() - before - list) / UNITS;
    drop(units);
    (scenario.stop)();
    bytes
}
