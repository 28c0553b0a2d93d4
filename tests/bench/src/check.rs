//! Comparison of the measured figures with budgets.txt, and the tables of docs/performance.md.

use crate::{by_hub, measure, scenario};
use std::collections::HashMap;
use std::process::ExitCode;

/// Label sets of a measured scrape.
const SERIES: usize = 300;

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
            "allocations" | "live" => measure::figure(name, measure),
            "scrape" => measure::scrape_instructions(name, SERIES) as f64 / SERIES as f64,
            "size" => size(name),
            _ => panic!(
                "unknown measure `{measure}`; expected caller, export, whole, poll, allocations, \
                 live, scrape or size"
            ),
        };
        self.0.insert(key, figure);
        figure
    }
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
    goal: Option<f64>,
}

impl<'a> Budget<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [measure, name, "<=", bound, rest @ ..] = words.as_slice() else { return None };
        let (peer, rest) = match rest {
            [operator @ ("*" | "+"), peer, rest @ ..] => (Some((*operator, *peer)), rest),
            rest => (None, rest),
        };
        let goal = match rest {
            [] => None,
            ["goal", goal] => Some(goal.parse().ok()?),
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
            panic!("{path}: `{line}` is not `MEASURE NAME <= BOUND [*|+ PEER] [goal LIMIT]`")
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
        let goal = budget.goal.map_or_else(String::new, |goal| {
            let is_met = figure <= budget.scale(goal, peer);
            format!("goal {goal}: {}", if is_met { "met" } else { "not met" })
        });
        println!(
            "{:<4} {:<11} {:<24} {figure:>8.0} {relative:<32} bound {:<6} {goal}",
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
    println!("\n| library | label sets | scrape, instructions per set |\n|---|---|---|");
    for library in ["hub", "hand"] {
        for series in [100, 300, 1_000, 10_000] {
            let scrape = measure::scrape_instructions(&format!("{library}.series"), series);
            println!("| {library} | {series} | {} |", scrape / series as u64);
        }
    }
    by_hub::sizes::table().iter().for_each(|(name, size)| println!("{name} {size}"));
}
