//! The bars, and running the variants of a row side by side.

use hub_otel_tests::program::Stopped;
use std::fmt::Debug;
use std::time::Duration;

/// The deadline of a shutdown.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// Returns the bar of a duration: unchanged in `just faults`, three times as much otherwise.
pub(crate) fn bar(time: Duration) -> Duration {
    if cfg!(debug_assertions) { 3 * time } else { time }
}

/// Returns the bar of a shutdown without a Collector.
pub(crate) fn shutdown_bar() -> Duration {
    bar(DEADLINE + Duration::from_millis(250))
}

/// Asserts that the shutdown kept its deadline.
#[track_caller]
pub(crate) fn assert_in_time(stopped: &Stopped) {
    assert!(stopped.took <= shutdown_bar(), "took {:?}: {}", stopped.took, stopped.report);
}

/// Runs `row` for all cases in parallel, one thread each. Panics with the failed ones.
#[track_caller]
pub(crate) fn each<C: Debug + Send>(cases: impl IntoIterator<Item = C>, row: impl Fn(C) + Sync) {
    let row = &row;
    let failed: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = cases
            .into_iter()
            .map(|case| {
                let name = format!("{case:?}");
                let builder = std::thread::Builder::new().name(name.clone());
                (name, builder.spawn_scoped(scope, move || row(case)).expect("a thread"))
            })
            .collect();
        running
            .into_iter()
            .filter_map(|(name, thread)| thread.join().is_err().then_some(name))
            .collect()
    });
    assert!(failed.is_empty(), "failed for {failed:?}");
}

/// Prints a figure for `docs/reliability.md`. Visible with `--nocapture`, as in `just faults`.
pub(crate) fn figure(row: &str, text: impl std::fmt::Display) {
    println!("| {row} | {text} |");
}
