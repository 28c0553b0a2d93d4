//! The counts of one label set: integers in shards.
//!
//! Threads that end units of the same labels write different shards, so that no cache line moves
//! between their processors. A reader adds the shards up.

use crate::semconv::status;
use crate::status::UnitStatus;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The number of shards. Created when a thread first uses them: a service with two workers has two.
const SHARDS: usize = 8;
const STATUSES: usize = status::TERMINAL.len();

/// Units in flight and ended units of one label set.
#[derive(Default)]
pub(super) struct Cells {
    shards: [OnceLock<Box<Shard>>; SHARDS],
}

/// The counts of the threads of one shard.
#[derive(Default)]
#[repr(align(64))]
struct Shard {
    entered: AtomicU64,
    left: AtomicU64,
    ended: [OnceLock<EndedUnits>; STATUSES],
}

/// The ended units of one status. Their number is the sum of the buckets.
struct EndedUnits {
    nanoseconds: AtomicU64,
    buckets: Box<[CacheLine]>,
}

/// Eight counts that share a line of the processor's cache with nothing else.
#[derive(Default)]
#[repr(align(64))]
struct CacheLine([AtomicU64; 8]);

impl EndedUnits {
    fn new(buckets: usize) -> Self {
        let lines = std::iter::repeat_with(CacheLine::default).take(buckets.div_ceil(8));
        Self { nanoseconds: AtomicU64::new(0), buckets: lines.collect() }
    }

    fn buckets(&self) -> impl Iterator<Item = &AtomicU64> {
        self.buckets.iter().flat_map(|line| &line.0)
    }
}

/// The durations of ended units.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    /// One more than there are bounds, and unused ones up to a multiple of eight.
    buckets: Vec<u64>,
    nanoseconds: u64,
}

impl Durations {
    /// Returns the number of ended units.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the number of units per bucket, not cumulative: those up to each bound, and those
    /// beyond the last one.
    #[cfg(any(feature = "prometheus", feature = "live"))]
    pub(crate) fn buckets(&self, bounds: usize) -> (&[u64], u64) {
        (&self.buckets[..bounds], self.buckets[bounds])
    }

    /// Returns the sum of the durations.
    #[cfg(any(feature = "prometheus", feature = "live"))]
    pub(crate) fn milliseconds(&self) -> f64 {
        self.nanoseconds as f64 / 1e6
    }

    pub(super) fn clear(&mut self) {
        self.buckets.clear();
        self.nanoseconds = 0;
    }
}

impl Cells {
    /// Counts units that began, or that left, by the sign of `change`.
    #[inline]
    pub(super) fn add_in_flight(&self, change: i64) {
        let shard = self.shard();
        let counter = if change > 0 { &shard.entered } else { &shard.left };
        counter.fetch_add(change.unsigned_abs(), Relaxed);
    }

    /// Counts one ended unit in the first of the ascending `bounds` that is not below its duration.
    #[inline]
    pub(super) fn add_ended(&self, status: UnitStatus, elapsed: Duration, bounds: &[u64]) {
        let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bounds.partition_point(|bound| *bound < nanoseconds);
        let ended = &self.shard().ended[status as usize];
        let ended = ended.get_or_init(|| EndedUnits::new(bounds.len() + 1));
        ended.buckets[bucket / 8].0[bucket % 8].fetch_add(1, Relaxed);
        ended.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    /// Returns the number of units in flight. `None` if there was never one.
    pub(super) fn in_flight(&self) -> Option<i64> {
        // Those that left are read first: their beginning is then included.
        let left: u64 = self.used().map(|shard| shard.left.load(Relaxed)).sum();
        let entered: u64 = self.used().map(|shard| shard.entered.load(Relaxed)).sum();
        (entered > 0 || left > 0).then(|| entered.wrapping_sub(left).cast_signed())
    }

    /// Returns the number of units that ended with `status`.
    pub(super) fn ended(&self, status: UnitStatus) -> u64 {
        let buckets = self.used_of(status).flat_map(EndedUnits::buckets);
        buckets.map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// Adds the durations of the units that ended with `status` to `sum`.
    pub(super) fn add_durations(&self, status: UnitStatus, sum: &mut Durations) {
        for ended in self.used_of(status) {
            sum.buckets.resize(ended.buckets.len() * 8, 0);
            for (sum, bucket) in sum.buckets.iter_mut().zip(ended.buckets()) {
                *sum += bucket.load(Relaxed);
            }
            sum.nanoseconds += ended.nanoseconds.load(Relaxed);
        }
    }

    fn used_of(&self, status: UnitStatus) -> impl Iterator<Item = &EndedUnits> {
        self.used().filter_map(move |shard| shard.ended[status as usize].get())
    }

    fn used(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter().filter_map(|shard| shard.get().map(Box::as_ref))
    }

    #[inline]
    fn shard(&self) -> &Shard {
        self.shards[thread_shard()].get_or_init(Box::default)
    }
}

/// Returns the shard of the current thread, by the address of its stack: stacks of threads are 2
/// MiB apart by default, and a thread-local would be a third one. Threads that share a shard, or
/// one that changes it, lose nothing but speed.
#[inline]
fn thread_shard() -> usize {
    let marker = 0_u8;
    (std::ptr::from_ref(&marker).addr() >> 21) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_the_same_labels_write_different_shards() {
        let cells = Cells::default();
        let bounds = [1_000_000, 5_000_000];
        // More than two, because some may share a shard.
        const THREADS: usize = 4;
        let barrier = std::sync::Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    // All stacks exist at once.
                    barrier.wait();
                    for micros in [1_000, 1_001, 9_000] {
                        cells.add_in_flight(1);
                        cells.add_in_flight(-1);
                        let elapsed = Duration::from_micros(micros);
                        cells.add_ended(UnitStatus::Success, elapsed, &bounds);
                    }
                    barrier.wait();
                });
            }
        });
        let mut ended = Durations::default();
        cells.add_durations(UnitStatus::Success, &mut ended);
        assert_eq!((ended.buckets[..3].to_vec(), ended.nanoseconds), (vec![4, 4, 4], 44_004_000));
        assert_eq!((ended.count(), cells.in_flight()), (12, Some(0)));
        assert_eq!((cells.ended(UnitStatus::Success), cells.ended(UnitStatus::Failed)), (12, 0));
        assert!(cells.used().count() >= 2, "{}", cells.used().count());
    }

    #[test]
    fn a_shard_of_one_thread_is_written_by_no_other_one() {
        assert_eq!((align_of::<Shard>(), align_of::<CacheLine>()), (64, 64));
    }
}
