//! Measurements of a scenario in a child process, with a receiver in this one.

use crate::receiver::{Receiver, Totals};
use crate::scenario;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Units of the two callgrind runs whose difference excludes the set-up. The difference is a
/// multiple of the batch size of 512.
const UNITS: [usize; 2] = [1024, 3072];

/// Counts the instructions of one unit on the thread that runs it.
pub fn caller_instructions(name: &str) -> u64 {
    // A thousand rows take as long as hundreds of units.
    let units = if name.ends_with("sqlx1000") { 32 } else { UNITS[0] };
    let measure = || {
        let threads = callgrind(
            name,
            &["--toggle-collect=hub_otel_bench::commands::run_units*"],
            &["run", name, &units.to_string()],
        );
        threads.values().sum::<u64>() / units as u64
    };
    // The caller waits for the thread of SQLite, at times more often: the least of several runs.
    let runs = if name.contains(".sqlx") { 5 } else { 1 };
    (0..runs).map(|_| measure()).min().unwrap_or_default()
}

/// Counts the instructions of one unit on all other threads of the process: its export.
pub fn export_instructions(name: &str) -> u64 {
    let [few, many] = UNITS.map(|units| {
        let threads = callgrind(name, &[], &["run", name, &units.to_string()]);
        threads.iter().filter(|(thread, _)| **thread != CALLER).map(|(_, count)| count).sum::<u64>()
    });
    many.saturating_sub(few) / (UNITS[1] - UNITS[0]) as u64
}

/// Counts the instructions of one scrape of `/metrics` with `series` label sets, on the threads of
/// the listener.
pub fn scrape_instructions(name: &str, series: usize) -> u64 {
    let [once, thrice] = [1_u64, 3].map(|times| {
        let arguments = ["scrape", name, &series.to_string(), &times.to_string()];
        let threads = callgrind(name, &[], &arguments);
        threads.iter().filter(|(thread, _)| **thread != CALLER).map(|(_, count)| count).sum::<u64>()
    });
    thrice.saturating_sub(once) / 2
}

/// Counts the allocations of one scrape of `/metrics` with `series` label sets, on the threads of
/// the listener.
pub fn scrape_allocations(name: &str, series: usize) -> u64 {
    let arguments = ["scrape_allocations", name, &series.to_string()];
    let (output, _) = run(name, Command::new(program(name)).args(arguments), &arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().unwrap_or_else(|_| panic!("{arguments:?} printed `{text}`"))
}

/// Number that callgrind gives to the first thread.
const CALLER: u64 = 1;

/// Runs a command under callgrind. Returns the instructions of each thread by its number.
fn callgrind(name: &str, options: &[&str], arguments: &[&str]) -> BTreeMap<u64, u64> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", folder.path().join("thread").display()))
        .args(options)
        .arg(program(name));
    run(name, command.args(arguments), arguments);
    let files = std::fs::read_dir(folder.path()).expect("the directory of callgrind");
    let threads: BTreeMap<_, _> = files
        // `thread-01` has the first thread. The file `thread` is empty.
        .filter_map(|entry| {
            let path = entry.expect("a file of callgrind").path();
            let (_, thread) = path.to_str()?.rsplit_once('-')?;
            Some((thread.parse().ok()?, total(&path)))
        })
        .collect();
    assert!(threads.values().any(|count| *count > 0), "callgrind counted nothing in {name}");
    threads
}

/// Reads the instructions of one thread from a file of callgrind.
fn total(path: &Path) -> u64 {
    let text = std::fs::read_to_string(path).expect("a file of callgrind");
    let totals = text.lines().filter_map(|line| line.strip_prefix("totals: "));
    totals.filter_map(|total| total.trim().parse::<u64>().ok()).sum()
}

/// Returns the program that contains a scenario.
fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("the path of this program");
    if name.starts_with("fastrace.") { this.with_file_name("fastrace") } else { this }
}

/// Returns the figure that a command of this program prints.
pub fn figure(name: &str, command: &str) -> f64 {
    let mut this = Command::new(program(name));
    let (output, _) = run(name, this.args([command, name]), &[command, name, "0"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().unwrap_or_else(|_| panic!("{command} {name} printed `{text}`"))
}

/// Runs `units` units in a child process and returns what the receiver and a scraper get.
pub fn emit(program: &Path, name: &str, units: usize) -> (Totals, String) {
    let arguments = ["emit", name, &units.to_string()];
    let (output, totals) = run(name, Command::new(program).args(arguments), &arguments);
    (totals, String::from_utf8(output.stdout).expect("UTF-8"))
}

/// A receiver and the environment of a scenario that sends to it.
pub struct Receiving {
    receiver: Receiver,
    name: String,
}

impl Receiving {
    pub fn start(name: &str) -> Self {
        Self { receiver: Receiver::start(), name: name.to_owned() }
    }

    pub fn set_environment(&self, command: &mut Command) {
        for (key, _) in std::env::vars().filter(|(key, _)| key.starts_with("OTEL_")) {
            command.env_remove(key);
        }
        let environment = scenario::environment(&self.name, self.receiver.address);
        command.env_remove("RUST_LOG").envs(environment);
    }
}

/// Runs a command in the environment of the scenario and checks that all spans were delivered,
/// except for those of fastrace: it drops what exceeds its buffers in a burst.
pub fn run(name: &str, command: &mut Command, arguments: &[&str]) -> (Output, Totals) {
    let receiving = Receiving::start(name);
    receiving.set_environment(command);
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    let totals = receiving.receiver.totals();
    if let ["run" | "emit", _, units] = arguments
        && !name.starts_with("fastrace.")
    {
        let units = units.parse().expect("a number");
        assert_eq!(totals.spans, scenario::spans(name, units), "spans of {name} delivered");
    }
    (output, totals)
}
