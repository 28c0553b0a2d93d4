//! Units in progress of one instance, so that its shutdown can end those that are still open.
//!
//! A table of weak references in several shards. A unit takes a slot when it starts and frees it
//! when it is dropped: one uncontended lock each, and no allocation unless a shard grows.

use crate::metrics::LabelSet;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
#[cfg(feature = "live")]
use opentelemetry::trace::SpanId;
#[cfg(feature = "live")]
use opentelemetry_sdk::trace::SpanData;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Threads that start units at the same time rarely share a shard.
const SHARDS: usize = 16;
/// Capacity of one shard. Later units are recorded as usual, but no shutdown ends them.
const MAX_UNITS_PER_SHARD: usize = 65_536;
/// Up to this number, open units are counted one by one: an ended unit can be kept alive.
const MAX_COUNTED_UNITS: usize = 1_000;
/// Slots that an empty shard keeps.
const RETAINED_SLOTS: usize = 256;

/// A unit in progress.
pub(crate) trait OpenUnit: Send + Sync {
    /// Returns whether the end of the unit is not recorded yet.
    fn is_open(&self) -> bool;

    /// Returns the start of the unit.
    fn started(&self) -> Instant;

    /// Returns the workflow that the unit is. `None` for any other unit.
    fn workflow(&self) -> Option<OpenWorkflow>;

    /// Returns the unit's span as it is now, if its id is `id`. `None` for any other unit.
    #[cfg(feature = "live")]
    fn span(&self, id: SpanId) -> Option<SpanData>;

    /// Ends the unit because telemetry is shut down. Returns the call that emits its last log
    /// record. `None` if it has ended.
    fn end_by_shutdown(self: Arc<Self>) -> Option<LogEnd>;
}

/// A workflow in progress.
pub(crate) struct OpenWorkflow {
    pub(crate) label_set: Arc<LabelSet>,
    /// Time since the start of the unit, without waits for approvals.
    pub(crate) executed: Duration,
}

/// Emits the last log record of a unit.
pub(crate) type LogEnd = Box<dyn FnOnce()>;

/// Units in progress of one instance.
pub(crate) struct OpenUnits {
    shards: [Mutex<Shard>; SHARDS],
    ended_by_shutdown: AtomicU64,
    /// The process that created the table. A forked child must not wait for its locks.
    owner_pid: u32,
}

#[derive(Default)]
struct Shard {
    slots: Vec<Option<Weak<dyn OpenUnit>>>,
    vacant: Vec<u32>,
}

/// Position of a unit in the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    shard: usize,
    index: u32,
}

/// Slot of a unit that exists before it has one.
pub(crate) struct AtomicSlot(AtomicUsize);

impl AtomicSlot {
    const VACANT: usize = usize::MAX;

    pub(crate) fn vacant() -> Self {
        Self(AtomicUsize::new(Self::VACANT))
    }

    pub(crate) fn set(&self, slot: Slot) {
        self.0.store(slot.index as usize * SHARDS + slot.shard, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<Slot> {
        let position = self.0.load(Ordering::Relaxed);
        let index = u32::try_from(position / SHARDS).ok().filter(|_| position != Self::VACANT)?;
        Some(Slot { shard: position % SHARDS, index })
    }
}

impl Default for OpenUnits {
    fn default() -> Self {
        Self {
            shards: Default::default(),
            ended_by_shutdown: AtomicU64::new(0),
            owner_pid: std::process::id(),
        }
    }
}

impl OpenUnits {
    /// Adds a unit. `None` beyond the capacity.
    pub(crate) fn insert(&self, unit: Weak<dyn OpenUnit>) -> Option<Slot> {
        // Concurrent threads allocate at different addresses.
        let shard = (unit.as_ptr().cast::<()>() as usize >> 7) % SHARDS;
        let mut table = self.lock(shard)?;
        if let Some(index) = table.vacant.pop() {
            table.slots[index as usize] = Some(unit);
            return Some(Slot { shard, index });
        }
        let index = table.slots.len();
        if index >= MAX_UNITS_PER_SHARD {
            return None;
        }
        table.slots.push(Some(unit));
        Some(Slot { shard, index: u32::try_from(index).ok()? })
    }

    /// Removes a unit.
    pub(crate) fn remove(&self, slot: Slot) {
        let Some(mut table) = self.lock(slot.shard) else { return };
        table.slots[slot.index as usize] = None;
        table.vacant.push(slot.index);
        // Frees the memory of a burst.
        if table.slots.len() > RETAINED_SLOTS && table.vacant.len() == table.slots.len() {
            *table = Shard::default();
        }
    }

    /// Returns the number of units in progress.
    pub(crate) fn count(&self) -> usize {
        let occupied = |table: MutexGuard<'_, Shard>| table.slots.len() - table.vacant.len();
        let occupied: usize = (0..SHARDS).filter_map(|shard| self.lock(shard).map(occupied)).sum();
        if occupied > MAX_COUNTED_UNITS { occupied } else { self.units().len() }
    }

    /// Returns the span of a unit in progress as it is now.
    #[cfg(feature = "live")]
    pub(crate) fn span(&self, id: SpanId) -> Option<SpanData> {
        self.units().iter().find_map(|unit| unit.span(id))
    }

    /// Ends all units in progress, the latest one first: children end before their parents. The log
    /// records come last, because a subscriber of the application may block.
    pub(crate) fn end_all(&self) {
        let mut units = self.units();
        units.sort_by_key(|unit| std::cmp::Reverse(unit.started()));
        let mut logs = Vec::new();
        for unit in units {
            if let Some(log) = unit.end_by_shutdown() {
                self.ended_by_shutdown.fetch_add(1, Ordering::Relaxed);
                logs.push(log);
            }
        }
        logs.into_iter().for_each(|log| log());
    }

    /// Returns the workflows in progress.
    #[cfg(feature = "sdk")]
    pub(crate) fn workflows(&self) -> Vec<OpenWorkflow> {
        self.units().iter().filter_map(|unit| unit.workflow()).collect()
    }

    /// Returns the number of units that a shutdown ended.
    pub(crate) fn ended_by_shutdown(&self) -> u64 {
        self.ended_by_shutdown.load(Ordering::Relaxed)
    }

    fn units(&self) -> Vec<Arc<dyn OpenUnit>> {
        let mut units = Vec::new();
        for shard in 0..SHARDS {
            if let Some(table) = self.lock(shard) {
                units.extend(table.slots.iter().flatten().filter_map(Weak::upgrade));
            }
        }
        units.retain(|unit| unit.is_open());
        units
    }

    /// Locks a shard. Returns `None` in a forked child if a thread that exists only in the parent
    /// holds the lock.
    fn lock(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
        match self.shards[shard].try_lock() {
            Ok(table) => Some(table),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if std::process::id() != self.owner_pid => None,
            Err(TryLockError::WouldBlock) => {
                Some(self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    struct Unit(AtomicBool);

    impl OpenUnit for Unit {
        fn is_open(&self) -> bool {
            !self.0.load(Ordering::SeqCst)
        }

        fn started(&self) -> Instant {
            Instant::now()
        }

        fn workflow(&self) -> Option<OpenWorkflow> {
            None
        }

        #[cfg(feature = "live")]
        fn span(&self, _: SpanId) -> Option<SpanData> {
            None
        }

        fn end_by_shutdown(self: Arc<Self>) -> Option<LogEnd> {
            let log: LogEnd = Box::new(|| ());
            (!self.0.swap(true, Ordering::SeqCst)).then_some(log)
        }
    }

    fn unit() -> Arc<Unit> {
        Arc::new(Unit(AtomicBool::new(false)))
    }

    fn weak(unit: &Arc<Unit>) -> Weak<dyn OpenUnit> {
        let unit: Arc<dyn OpenUnit> = Arc::<Unit>::clone(unit);
        Arc::downgrade(&unit)
    }

    #[test]
    fn a_slot_is_used_again_and_a_burst_frees_its_memory() {
        let open = OpenUnits::default();
        let units: Vec<_> = (0..100_000).map(|_| unit()).collect();
        let slots: Vec<_> = units.iter().filter_map(|unit| open.insert(weak(unit))).collect();
        assert_eq!((slots.len(), open.count()), (100_000, 100_000));
        slots.into_iter().for_each(|slot| open.remove(slot));
        assert_eq!(open.count(), 0);
        let kept = (0..SHARDS).map(|shard| open.lock(shard).unwrap().slots.capacity());
        assert!(kept.sum::<usize>() < 2 * SHARDS * RETAINED_SLOTS);
    }

    #[test]
    fn each_unit_is_ended_once() {
        let open = OpenUnits::default();
        let units: Vec<_> = (0..3).map(|_| unit()).collect();
        assert!(units.iter().all(|unit| open.insert(weak(unit)).is_some()));
        assert!(Arc::clone(&units[0]).end_by_shutdown().is_some(), "by the unit itself");
        open.end_all();
        open.end_all();
        assert_eq!((open.ended_by_shutdown(), open.count()), (2, 0));
    }
}
