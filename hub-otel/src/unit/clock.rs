//! Wall-clock time, derived from the monotonic clock: start and end of a unit read one clock each.
//!
//! The offset between the clocks is measured again after a second, so that corrections of the
//! system clock apply.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Maximum age of a measurement, in nanoseconds.
const MAX_AGE: u64 = 1_000_000_000;

struct Anchor {
    origin: Instant,
    /// Nanoseconds since the epoch at `origin`. Zero before the first measurement.
    wall: AtomicU64,
    /// Nanoseconds since `origin` of the last measurement.
    measured: AtomicU64,
}

/// Returns the current time of both clocks.
pub(crate) fn now() -> (Instant, SystemTime) {
    let now = Instant::now();
    (now, wall(now))
}

/// Returns the wall-clock time at `instant`.
pub(crate) fn wall(instant: Instant) -> SystemTime {
    static ANCHOR: OnceLock<Anchor> = OnceLock::new();
    let anchor = ANCHOR.get_or_init(|| Anchor {
        origin: Instant::now(),
        wall: AtomicU64::new(0),
        measured: AtomicU64::new(0),
    });
    let since = nanoseconds(instant.saturating_duration_since(anchor.origin));
    let mut wall = anchor.wall.load(Ordering::Relaxed);
    if wall == 0 || since.saturating_sub(anchor.measured.load(Ordering::Relaxed)) > MAX_AGE {
        wall = measure(anchor);
    }
    UNIX_EPOCH + Duration::from_nanos(wall.saturating_add(since))
}

/// Measures the offset between the clocks, three times: the thread can be preempted between two
/// readings, which would shift all times of the following second.
#[cold]
fn measure(anchor: &Anchor) -> u64 {
    let Reading { since, wall, .. } = closest(std::array::from_fn(|_| read(anchor.origin)));
    let wall = wall.saturating_sub(since).max(1);
    anchor.measured.store(since, Ordering::Relaxed);
    anchor.wall.store(wall, Ordering::Relaxed);
    wall
}

/// A reading of the wall clock between two of the monotonic clock, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    /// Time since the origin, halfway between the readings of the monotonic clock.
    since: u64,
    /// Distance between the readings of the monotonic clock.
    gap: u64,
    /// Time since the epoch.
    wall: u64,
}

fn read(origin: Instant) -> Reading {
    let before = nanoseconds(origin.elapsed());
    let wall = nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let gap = nanoseconds(origin.elapsed()).saturating_sub(before);
    Reading { since: before + gap / 2, gap, wall }
}

/// Returns the reading whose clocks were read within the shortest time.
fn closest([first, rest @ ..]: [Reading; 3]) -> Reading {
    rest.into_iter().fold(first, |best, next| if next.gap < best.gap { next } else { best })
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_maps_to_the_wall_clock() {
        let before = SystemTime::now();
        let placed = wall(Instant::now());
        let after = SystemTime::now();
        // The clocks are read one after the other: allow for a busy machine.
        let slack = Duration::from_secs(1);
        assert!(
            placed >= before - slack && placed <= after + slack,
            "{before:?} {placed:?} {after:?}"
        );
    }

    #[test]
    fn a_preempted_reading_does_not_count() {
        let reading = |since, gap| Reading { since, gap, wall: 5_000 };
        let readings =
            [reading(900_000, 1_800_000), reading(2_000_000, 40), reading(2_000_100, 60)];
        assert_eq!(closest(readings), reading(2_000_000, 40));
    }

    #[test]
    fn order_is_preserved() {
        let first = Instant::now();
        let second = first + Duration::from_nanos(1);
        assert!(wall(first) <= wall(second));
    }
}
