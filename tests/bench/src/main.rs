//! Command line: `check FILE` compares with a file of budgets, `table` prints the tables of
//! docs/performance.md, `names` lists the scenarios. The other commands run one scenario.

use hub_otel_bench::count::Counting;
use hub_otel_bench::{by_hub, check, commands, scenario};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["check", budgets] => return check::check(budgets),
        ["table"] => check::print_tables(),
        ["names"] => scenario::ALL.iter().for_each(|name| println!("{name}")),
        ["sizes"] => {
            by_hub::sizes::table().iter().for_each(|(name, size)| println!("{name} {size}"));
        }
        _ => return commands::run_command(scenario::prepare),
    }
    ExitCode::SUCCESS
}
