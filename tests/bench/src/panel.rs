//! The panel: a workflow at a fixed rate for minutes, with hub-otel and by hand at once. It checks
//! that nothing is lost and that the resident memory is flat, and compares the processor time.

use crate::scenario::{self, Scenario};
use crate::{commands, measure};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Units per second.
const RATE: [(&str, usize); 2] = [
    ("hub.workflow", 50_000),
    // A tenth, so that two cores hold both.
    ("hand.workflow", 5_000),
];
/// Samples of the resident memory.
const SAMPLES: u32 = 20;
/// The growth of the resident memory, from a fifth of the time to the end, that counts as flat: the
/// queue is at times longer, and the allocator keeps its peak.
const FLAT_KIB: u64 = 16 * 1024;

/// The figures that a process of the panel prints.
struct Panel {
    units: usize,
    cpu_micros: u64,
    /// Spans that the pipeline counts as dropped. Only hub-otel counts them.
    dropped: usize,
    resident_kib: Vec<u64>,
}

/// Runs the panel for `seconds` and prints its table.
pub fn run(seconds: u64) -> ExitCode {
    let rows: Vec<_> = std::thread::scope(|scope| {
        let started: Vec<_> =
            RATE.map(|(name, rate)| scope.spawn(move || measured(name, seconds, rate))).into();
        started.into_iter().map(|process| process.join().expect("a panel")).collect()
    });
    println!(
        "| {seconds} s | units/s | lost | counted as dropped | µs of processor time per unit | resident, MiB: at 20 %, end, peak |"
    );
    println!("|---|---|---|---|---|---|");
    let mut is_met = true;
    for ((name, _), (panel, received)) in RATE.iter().zip(&rows) {
        let lost = panel.units.saturating_sub(*received);
        let early = panel.resident_kib[panel.resident_kib.len() / 5];
        let (last, peak) =
            (panel.resident_kib.last().expect("a sample"), panel.resident_kib.iter().max());
        println!(
            "| {name} | {} | {lost} | {} | {:.2} | {}, {}, {} |",
            panel.units as u64 / seconds,
            panel.dropped,
            panel.cpu_micros as f64 / panel.units as f64,
            early / 1024,
            last / 1024,
            peak.expect("a sample") / 1024,
        );
        if *name == "hub.workflow" {
            assert_eq!(lost, panel.dropped, "each lost span is counted in `/metrics`");
            is_met = lost == 0 && *last <= early + FLAT_KIB;
        }
    }
    println!(
        "{}",
        if is_met { "no loss, memory flat" } else { "FAILED: a loss, or growing memory" }
    );
    ExitCode::from(u8::from(!is_met))
}

/// Runs one process. Returns its figures and the spans that its receiver got.
fn measured(name: &'static str, seconds: u64, rate: usize) -> (Panel, usize) {
    let this = std::env::current_exe().expect("the path of this program");
    let arguments = ["panel_process", name, &seconds.to_string(), &rate.to_string()];
    let (output, totals) = measure::run(name, Command::new(this).args(arguments), &arguments);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
    let mut next = || numbers.next().expect("units and processor time");
    let (units, cpu_micros, dropped) = (next() as usize, next(), next() as usize);
    (Panel { units, cpu_micros, dropped, resident_kib: numbers.collect() }, totals.spans)
}

/// Runs units at `rate` per second and prints units, processor time and samples of the memory.
pub fn run_process(name: &str, seconds: u64, rate: usize) {
    let mut scenario: Scenario = scenario::prepare(name);
    let (started, length) = (Instant::now(), Duration::from_secs(seconds));
    let (mut done, mut resident) = (0, Vec::new());
    while started.elapsed() < length {
        let elapsed = started.elapsed();
        let due = (elapsed.as_secs_f64() * rate as f64) as usize;
        // At most a hundredth of a second late at once: the rest is not caught up in one burst.
        let until = due.min(done + rate / 100);
        (done..until).for_each(&mut scenario.unit);
        done = until;
        if elapsed >= length / SAMPLES * resident.len() as u32 {
            resident.push(resident_kib());
        }
        if done == due {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let dropped = dropped_spans(&commands::scrape(&scenario));
    (scenario.stop)();
    println!("{done} {} {dropped}", cpu_micros());
    resident.iter().for_each(|kib| println!("{kib}"));
}

/// Reads the spans that `/metrics` counts as dropped, for any reason.
fn dropped_spans(page: &str) -> u64 {
    let dropped = page.lines().filter(|line| {
        line.starts_with("hub_otel_export_items_total{")
            && line.contains("result=\"dropped\"")
            && line.contains("signal=\"traces\"")
    });
    let count = |line: &str| line.rsplit_once(' ')?.1.parse::<u64>().ok();
    dropped.map(|line| count(line).expect("a count")).sum()
}

/// Returns the processor time of this process so far, user and system.
fn cpu_micros() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = text.rsplit_once(") ").expect("a process name in brackets");
    // The 14th and the 15th field of the file, in hundredths of a second.
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>());
    ticks.map(|ticks| ticks.expect("a number") * 10_000).sum()
}

fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
