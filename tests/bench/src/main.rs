//! Command line: `run NAME N` runs N units of a scenario, for callgrind; `allocations NAME`,
//! `time NAME` and `sizes` print figures; `names` lists the scenarios; `emit NAME N` prints the
//! telemetry of N units.

use hub_otel_bench::count::{Counting, allocations};
use hub_otel_bench::{by_hub, scenario};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["run", name, times] => {
            let mut unit = scenario::prepare(name);
            let times: usize = times.parse().expect("a number");
            (0..times).for_each(&mut unit);
        }
        ["emit", name, times] => {
            print!("{}", hub_otel_bench::emitted::of(name, times.parse().expect("a number")));
        }
        ["allocations", name] => {
            let mut unit = scenario::prepare(name);
            (0..100).for_each(&mut unit);
            let before = allocations();
            (0..1_000).for_each(&mut unit);
            println!("{}", (allocations() - before) as f64 / 1_000.0);
        }
        ["time", name] => {
            let mut unit = scenario::prepare(name);
            (0..10_000).for_each(&mut unit);
            // The minimum of 50 measurements, because other load of the machine only adds time.
            let best = (0..50).map(|_| {
                let began = Instant::now();
                (0..2_000).for_each(&mut unit);
                began.elapsed().as_nanos() as f64 / 2_000.0
            });
            println!("{:.0}", best.fold(f64::INFINITY, f64::min));
        }
        ["sizes"] => {
            by_hub::sizes::table().iter().for_each(|(name, size)| println!("{name} {size}"))
        }
        ["names"] => scenario::ALL.iter().for_each(|name| println!("{name}")),
        _ => {
            eprintln!("run NAME N | emit NAME N | allocations NAME | time NAME | sizes | names");
            std::process::exit(2);
        }
    }
}
