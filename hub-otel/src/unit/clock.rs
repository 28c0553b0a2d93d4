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

#[cold]
fn measure(anchor: &Anchor) -> u64 {
    let since = nanoseconds(anchor.origin.elapsed());
    let now = nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    let wall = now.saturating_sub(since).max(1);
    anchor.measured.store(since, Ordering::Relaxed);
    anchor.wall.store(wall, Ordering::Relaxed);
    wall
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
    fn order_is_preserved() {
        let first = Instant::now();
        let second = first + Duration::from_nanos(1);
        assert!(wall(first) <= wall(second));
    }
}
