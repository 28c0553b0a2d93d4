//! Counts the writes of a unit to cache lines that another thread writes too, when both run units
//! of the same labels: each of them moves a line between two processors.
//!
//! valgrind's lackey lists the memory accesses of a process in their order. The threads run one
//! after the other, and note in [`PHASE`] when. Meanwhile nothing is exported.

use crate::by_hand::ByHand;
use crate::manual_metrics::Instruments;
use crate::manual_pipeline::ManualPipeline;
use crate::measure::Receiving;
use crate::{by_hub, ready};
use opentelemetry::trace::TracerProvider;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;

/// Units of each thread. Two times as many are less than a batch, so that none is exported.
const UNITS: usize = 50;
/// Units of each thread before the measurement.
const WARM_UP: usize = 20;
const CACHE_LINE: u64 = 64;

/// A cache line of its own, written between the phases.
#[repr(align(64))]
struct Phase(AtomicU64);

static PHASE: Phase = Phase(AtomicU64::new(0));

/// Runs two threads: `shared_process NAME`.
pub fn run_process(name: &str) {
    // One write, on a line of its own: the trace goes to the same file.
    let line = format!("\nphase {:p}\n", &raw const PHASE.0);
    std::io::stderr().write_all(line.as_bytes()).expect("standard error");
    let (unit, stop) = prepare(name);
    let threads = [(); 2].map(|()| {
        let unit = Arc::clone(&unit);
        let (go, goes) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            for (turn, _) in goes.iter().enumerate() {
                if turn == 0 {
                    (0..WARM_UP).for_each(|_| unit());
                } else {
                    PHASE.0.fetch_add(1, SeqCst);
                    (0..UNITS).for_each(|_| unit());
                    PHASE.0.fetch_add(1, SeqCst);
                }
                let _ = done.send(());
            }
        });
        (thread, go, is_done)
    });
    for _ in 0..2 {
        for (_, go, is_done) in &threads {
            go.send(()).expect("a thread");
            is_done.recv().expect("a turn");
        }
    }
    for (thread, go, _) in threads {
        drop(go);
        thread.join().expect("no panic");
    }
    stop();
}

type Unit = Arc<dyn Fn() + Send + Sync>;

fn prepare(name: &str) -> (Unit, Box<dyn FnOnce()>) {
    match name {
        "hub.workflow" => {
            let telemetry = hub_otel::Telemetry::builder().install().expect("valid settings");
            (Arc::new(|| drop(ready(by_hub::workflow(1, false)))), Box::new(|| drop(telemetry)))
        }
        "hand.workflow" | "bound.workflow" => {
            let pipeline = ManualPipeline::start();
            let instruments = Instruments::new(&pipeline.metrics);
            instruments.declare(true);
            let tracer = pipeline.traces.tracer("hub_otel");
            let unit: Unit = if name == "hand.workflow" {
                let by_hand = ByHand { tracer, metrics: instruments };
                Arc::new(move || drop(ready(by_hand.workflow(1, false))))
            } else {
                let by_hand = ByHand { tracer, metrics: instruments.bind() };
                Arc::new(move || drop(ready(by_hand.workflow(1, false))))
            };
            (unit, Box::new(|| pipeline.shutdown()))
        }
        _ => panic!("unknown `{name}`; expected hub.workflow, hand.workflow or bound.workflow"),
    }
}

/// Returns the writes per unit to cache lines that the other thread writes too.
pub fn writes(name: &str) -> f64 {
    let receiving = Receiving::start(name);
    let this = std::env::current_exe().expect("the path of this program");
    let mut command = Command::new("valgrind");
    command.args(["--tool=lackey", "--trace-mem=yes", "--log-fd=2"]).arg(this);
    receiving.set_environment(&mut command);
    let delay = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
    command.args(["shared_process", name]).envs([delay]).stderr(Stdio::piped());
    let mut process = command.spawn().expect("valgrind");
    let trace = BufReader::with_capacity(1 << 20, process.stderr.take().expect("a pipe"));
    let shared = count(trace);
    assert!(process.wait().expect("an exit").success(), "{name}");
    shared as f64 / UNITS as f64
}

/// Counts the writes of the second thread to lines that the first one wrote.
fn count(mut trace: impl BufRead) -> usize {
    let (mut phase_address, mut phase) = (None, 0);
    let (mut first, mut shared) = (HashSet::new(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        if trace.read_until(b'\n', &mut line).expect("a pipe") == 0 {
            break;
        }
        let Ok(text) = std::str::from_utf8(&line) else { continue };
        if let Some(address) = text.trim_end().strip_prefix("phase 0x") {
            phase_address = u64::from_str_radix(address, 16).ok();
        }
        // Stores, and modifications.
        let Some(access) = text.strip_prefix(" S ").or_else(|| text.strip_prefix(" M ")) else {
            continue;
        };
        let Some((address, _)) = access.split_once(',') else { continue };
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        if Some(address) == phase_address {
            phase += 1;
        } else if phase == 1 {
            first.insert(address / CACHE_LINE);
        } else if phase == 3 {
            shared += usize::from(first.contains(&(address / CACHE_LINE)));
        }
    }
    assert!(phase >= 4 && !first.is_empty(), "the trace has the phases");
    shared
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn writes_to_lines_of_both_threads_are_counted() {
        let trace = "phase 0x1000\n S 1000,8\n M 2000,8\n S 3000,4\n L 4000,8\nI  0,3\n S 1000,8\n \
                     S 5000,8\n M 1000,8\n M 2008,8\n S 2010,8\n L 3000,4\n S 4000,8\n M 1000,8\n \
                     S 2000,8\n";
        // 0x2008 and 0x2010 are on the line of 0x2000; 0x3000 is read, and 0x4000 was.
        assert_eq!(count(trace.as_bytes()), 2);
    }
}
