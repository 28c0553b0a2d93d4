//! Wall-clock time from the monotonic clock: a call reads the clock twice, not four times.
//!
//! The distance between both clocks is measured again when it is older than a second, so that corrections of the
//! system's clock arrive.

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

const STALE: u64 = 1_000_000_000;

struct Anchor {
    origin: Instant,
    /// Nanoseconds since the epoch at `origin`, by the last measurement.
    wall: AtomicU64,
    /// Nanoseconds since `origin` of the last measurement.
    measured: AtomicU64,
}

/// The wall-clock time at `instant`.
pub(crate) fn wall(instant: Instant) -> SystemTime {
    static ANCHOR: OnceLock<Anchor> = OnceLock::new();
    let anchor = ANCHOR.get_or_init(|| Anchor {
        origin: Instant::now(),
        wall: AtomicU64::new(0),
        measured: AtomicU64::new(0),
    });
    let since = nanoseconds(instant.saturating_duration_since(anchor.origin));
    let mut wall = anchor.wall.load(Ordering::Relaxed);
    if wall == 0 || since.saturating_sub(anchor.measured.load(Ordering::Relaxed)) > STALE {
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
    fn an_instant_is_placed_on_the_wall_clock() {
        let before = SystemTime::now();
        let placed = wall(Instant::now());
        let after = SystemTime::now();
        // The two clocks are read one after the other: allow what a busy machine puts in between.
        let slack = Duration::from_secs(1);
        assert!(
            placed >= before - slack && placed <= after + slack,
            "{before:?} {placed:?} {after:?}"
        );
    }

    #[test]
    fn order_is_kept() {
        let first = Instant::now();
        let second = first + Duration::from_nanos(1);
        assert!(wall(first) <= wall(second));
    }
}
