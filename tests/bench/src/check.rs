//! Comparison of the measured figures with budgets.txt, and the tables of docs/performance.md.

use crate::{by_hub, measure, scenario, shared};
use std::collections::HashMap;
use std::process::ExitCode;

/// Figures of this run. Each one is measured once.
#[derive(Default)]
struct Figures(HashMap<(String, String), f64>);

impl Figures {
    /// Returns the figure `measure` of `name`, as budgets.txt describes them.
    fn get(&mut self, measure: &str, name: &str) -> f64 {
        let key = (measure.to_owned(), name.to_owned());
        if let Some(known) = self.0.get(&key) {
            return *known;
        }
        let figure = match measure {
            "caller" => measure::caller_instructions(name) as f64,
            "export" => measure::export_instructions(name) as f64,
            "whole" => self.get("caller", name) + self.get("export", name),
            "poll" => {
                let polled = self.get("caller", &format!("{name}.polled"));
                let workflow = self.get("caller", &format!("{name}.workflow"));
                (polled - workflow) / scenario::POLLS as f64
            }
            "row" => {
                let of = |rows| format!("{name}.sqlx{rows}");
                let thousand = self.get("caller", &of(1_000));
                (thousand - self.get("caller", &of(1))) / 999.0
            }
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
        };
        self.0.insert(key, figure);
        figure
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
    let budgets = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines = budgets.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut figures = Figures::default();
    let mut exceeded = false;
    for line in lines {
        let budget = Budget::parse(line).unwrap_or_else(|| {
            panic!(
                "{path}: `{line}` is not `MEASURE NAME <= BOUND [*|+ PEER] [goal LIMIT [met|missed]]`"
            )
        });
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
