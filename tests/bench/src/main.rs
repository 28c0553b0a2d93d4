//! Command line: `check FILE` compares with a file of budgets, `table` prints the tables of
//! docs/performance.md, `panel SECONDS` runs the panel, `names` lists the scenarios. The other
//! commands run one scenario.

use hub_otel_bench::count::Counting;
use hub_otel_bench::{by_hub, check, commands, panel, scenario, shared};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["check", budgets] => return check::check(budgets),
        ["table"] => check::print_tables(),
        ["panel", seconds] => return panel::run(seconds.parse().expect("seconds")),
        ["panel_process", name, seconds, rate] => panel::run_process(
            name,
            seconds.parse().expect("seconds"),
            rate.parse().expect("units per second"),
        ),
        ["shared_process", name] => shared::run_process(name),
        ["names"] => scenario::ALL.iter().for_each(|name| println!("{name}")),
        ["sizes"] => {
            by_hub::sizes::table().iter().for_each(|(name, size)| println!("{name} {size}"));
        }
        _ => return commands::run_command(scenario::prepare),
    }
    ExitCode::SUCCESS
}
