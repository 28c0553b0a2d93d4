//! Comparison of the measured figures with budgets.txt, and the tables of docs/performance.md.

use crate::{by_hub, measure, scenario, shared};
use std::collections::{BTreeSet, HashMap};
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Name of a measure, and of a scenario.
type Key = (String, String);

/// Figures of this run. Each one is measured once.
#[derive(Default)]
struct Figures(HashMap<Key, f64>);

impl Figures {
    /// Measures the figures of `budgets` with one thread for each processor: each figure is that of
    /// a process of its own. Queries follow one by one, in [`Figures::get`]: they cost more while
    /// the thread of SQLite waits for a processor.
    fn of(budgets: &[Budget]) -> Self {
        let names = budgets.iter().flat_map(|budget| {
            let peer = budget.peer.map(|(_, peer)| peer);
            [Some(budget.name), peer].into_iter().flatten().map(|name| (budget.measure, name))
        });
        let keys: BTreeSet<Key> = names.flat_map(|(measure, name)| terms(measure, name)).collect();
        let keys: Vec<Key> = keys.into_iter().filter(|(_, name)| !name.contains(".sqlx")).collect();
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let measure_next = || {
            let mut figures = HashMap::new();
            while let Some((measure, name)) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
                figures.insert((measure.clone(), name.clone()), measure_one(measure, name));
            }
            figures
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(measure_next)).collect();
            let figures = threads.into_iter().map(|thread| thread.join().expect("figures"));
            Self(figures.flatten().collect())
        })
    }

    /// Returns the figure `measure` of `name`, as budgets.txt describes them.
    fn get(&mut self, measure: &str, name: &str) -> f64 {
        let terms: Vec<f64> = terms(measure, name)
            .into_iter()
            .map(|key| {
                *self.0.entry(key).or_insert_with_key(|(measure, name)| measure_one(measure, name))
            })
            .collect();
        match (measure, &terms[..]) {
            ("whole", [caller, export]) => caller + export,
            ("poll", [polled, workflow]) => (polled - workflow) / scenario::POLLS as f64,
            ("row", [thousand, one]) => (thousand - one) / 999.0,
            (_, [figure]) => *figure,
            _ => unreachable!("{measure} has {} terms", terms.len()),
        }
    }
}

/// Returns the figures from which `measure` of `name` is computed: itself, or two others.
fn terms(measure: &str, name: &str) -> Vec<Key> {
    let key = |measure: &str, name: String| (measure.to_owned(), name);
    match measure {
        "whole" => vec![key("caller", name.to_owned()), key("export", name.to_owned())],
        "poll" => {
            vec![key("caller", format!("{name}.polled")), key("caller", format!("{name}.workflow"))]
        }
        "row" => {
            vec![key("caller", format!("{name}.sqlx1000")), key("caller", format!("{name}.sqlx1"))]
        }
        measure => vec![key(measure, name.to_owned())],
    }
}

fn measure_one(measure: &str, name: &str) -> f64 {
    match measure {
        "caller" => measure::caller_instructions(name) as f64,
        "export" => measure::export_instructions(name) as f64,
        "shared" => shared::writes(name),
        "allocations" | "live" => measure::figure(name, measure),
        "scrape" => {
            let (name, series) = with_series(name);
            measure::scrape_instructions(name, series) as f64 / series as f64
        }
        "scrape_allocations" => {
            let (name, series) = with_series(name);
            measure::scrape_allocations(name, series) as f64
        }
        "size" => size(name),
        _ => panic!(
            "unknown measure `{measure}`; expected caller, export, whole, poll, row, shared, \
             allocations, live, scrape, scrape_allocations or size"
        ),
    }
}

/// Splits `NAME@SERIES`.
fn with_series(name: &str) -> (&str, usize) {
    let (name, series) =
        name.split_once('@').unwrap_or_else(|| panic!("{name} is not NAME@SERIES"));
    (name, series.parse().unwrap_or_else(|_| panic!("{series} is not a number of label sets")))
}

fn size(name: &str) -> f64 {
    let sizes = by_hub::sizes::table();
    let found = sizes.iter().find(|(found, _)| found.strip_prefix("size.") == Some(name));
    found.unwrap_or_else(|| panic!("no size `{name}`; `sizes` lists them")).1 as f64
}

/// One line of budgets.txt.
struct Budget<'a> {
    measure: &'a str,
    name: &'a str,
    bound: f64,
    /// The figure of `peer` multiplies (`*`) or raises (`+`) the bound.
    peer: Option<(&'a str, &'a str)>,
    goal: Option<Goal>,
}

/// A limit of the design, and whether the file states it as met. `None`: not stated, because the
/// figure is at times above and at times below.
struct Goal {
    limit: f64,
    is_met: Option<bool>,
}

impl<'a> Budget<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (line, _) = line.split_once('#').unwrap_or((line, ""));
        let words: Vec<&str> = line.split_whitespace().collect();
        let [measure, name, "<=", bound, rest @ ..] = words.as_slice() else { return None };
        let (peer, rest) = match rest {
            [operator @ ("*" | "+"), peer, rest @ ..] => (Some((*operator, *peer)), rest),
            rest => (None, rest),
        };
        let goal = match rest {
            [] => None,
            ["goal", limit] => Some(Goal { limit: limit.parse().ok()?, is_met: None }),
            ["goal", limit, state @ ("met" | "missed")] => {
                Some(Goal { limit: limit.parse().ok()?, is_met: Some(*state == "met") })
            }
            _ => return None,
        };
        Some(Self { measure, name, bound: bound.parse().ok()?, peer, goal })
    }

    /// Scales a bound or a goal to the unit of the figure.
    fn scale(&self, limit: f64, peer: f64) -> f64 {
        match self.peer {
            Some(("*", _)) => limit * peer,
            Some(_) => limit + peer,
            None => limit,
        }
    }
}

/// Compares with the budgets in the file `path`.
pub fn check(path: &str) -> ExitCode {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let budgets: Vec<_> = lines
        .map(|line| {
            Budget::parse(line).unwrap_or_else(|| {
                panic!(
                    "{path}: `{line}` is not `MEASURE NAME <= BOUND [*|+ PEER] [goal LIMIT [met|missed]]`"
                )
            })
        })
        .collect();
    let mut figures = Figures::of(&budgets);
    let mut exceeded = false;
    for budget in budgets {
        let figure = figures.get(budget.measure, budget.name);
        let peer = budget.peer.map_or(0.0, |(_, peer)| figures.get(budget.measure, peer));
        let is_met = figure <= budget.scale(budget.bound, peer);
        exceeded |= !is_met;
        let relative = match budget.peer {
            Some(("*", peer_name)) => format!("{:.3} of {peer_name}", figure / peer),
            Some((_, peer_name)) => format!("{:+.0} to {peer_name}", figure - peer),
            None => String::new(),
        };
        let goal = budget.goal.as_ref().map_or_else(String::new, |Goal { limit, is_met }| {
            let is_met_now = figure <= budget.scale(*limit, peer);
            let is_stale = is_met.is_some_and(|is_met| is_met != is_met_now);
            exceeded |= is_stale;
            let stated = if is_stale { ", which the file does not state" } else { "" };
            format!("goal {limit}: {}{stated}", if is_met_now { "met" } else { "missed" })
        });
        println!(
            "{:<4} {:<18} {:<24} {figure:>8.0} {relative:<32} bound {:<6} {goal}",
            if is_met { "ok" } else { "OVER" },
            budget.measure,
            budget.name,
            budget.bound,
        );
    }
    ExitCode::from(u8::from(exceeded))
}

/// Prints all scenarios in the format of docs/performance.md.
pub fn print_tables() {
    let mut figures = Figures::default();
    println!("| scenario | caller | whole process | allocations | ns |\n|---|---|---|---|---|");
    for name in scenario::ALL {
        let (caller, whole) = (figures.get("caller", name), figures.get("whole", name));
        let allocations = figures.get("allocations", name);
        let time = measure::figure(name, "time");
        println!("| {name} | {caller} | {whole} | {allocations} | {time} |");
    }
    println!("\n| library | live unit, bytes | one more poll |\n|---|---|---|");
    for library in ["hub", "hand", "plain"] {
        let live = figures.get("live", &format!("{library}.polled"));
        println!("| {library} | {live} | {:.0} |", figures.get("poll", library));
    }
    println!("\n| library | label sets | scrape, instructions per set | allocations of a scrape |");
    println!("|---|---|---|---|");
    for library in ["hub", "hand"] {
        for series in [100, 300, 1_000, 10_000] {
            let name = format!("{library}.series");
            // Under callgrind a page of 10,000 sets takes longer than a connection may last.
            let scrape = match series {
                10_000 => "–".to_owned(),
                _ => (measure::scrape_instructions(&name, series) / series as u64).to_string(),
            };
            let allocations = measure::scrape_allocations(&name, series);
            println!("| {library} | {series} | {scrape} | {allocations} |");
        }
    }
    println!("\n| query | instructions, caller | allocations |\n|---|---|---|");
    for library in ["plain", "hub", "sqlx_otel"] {
        for rows in [1, 10, 1_000] {
            let name = format!("{library}.sqlx{rows}");
            let (caller, allocations) =
                (figures.get("caller", &name), figures.get("allocations", &name));
            println!("| {library}, {rows} rows | {caller} | {allocations} |");
        }
        println!("| {library}, one more row | {:.0} | |", figures.get("row", library));
    }
    println!("\n| library | writes of a unit to lines that another thread writes |\n|---|---|");
    for library in ["hub", "hand", "bound"] {
        println!("| {library} | {:.1} |", figures.get("shared", &format!("{library}.workflow")));
    }
    by_hub::sizes::table().iter().for_each(|(name, size)| println!("{name} {size}"));
}
