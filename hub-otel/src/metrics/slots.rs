//! Lock-free lookup of label sets.
//!
//! An open-addressing table of a fixed size that only grows in content. Readers therefore need no
//! lock. Label sets beyond its cap share one overflow set.

use crate::metrics::dimensions::Dimensions;
use crate::metrics::series::LabelSet;
use crate::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A label set and the hash of its dimensions.
type Slot = OnceLock<(u64, Arc<LabelSet>)>;

/// Label sets by the hash of their dimensions.
pub(crate) struct SlotTable {
    /// At least twice the cap, so that a search ends after one or two steps. A power of two.
    slots: OnceLock<Box<[Slot]>>,
    cap: usize,
    /// Number of occupied slots. Locked during an insertion.
    len: Mutex<usize>,
    overflow: OnceLock<Arc<LabelSet>>,
}

impl SlotTable {
    /// Creates a table of at most `cap` sets.
    pub(crate) fn new(cap: usize) -> Self {
        Self { slots: OnceLock::new(), cap, len: Mutex::default(), overflow: OnceLock::new() }
    }

    /// Returns all sets, in any order.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &Arc<LabelSet>> {
        let slots = self.slots.get().map_or(&[][..], |slots| slots);
        let sets = slots.iter().filter_map(|slot| Some(&slot.get()?.1));
        sets.chain(self.overflow.get())
    }

    /// Returns the set of `dimensions`, created by `create(false)` at first use.
    ///
    /// Beyond the cap it returns the shared overflow set, created by `create(true)`.
    #[inline]
    pub(crate) fn get_or_insert(
        &self,
        dimensions: &Dimensions<'_>,
        create: impl FnOnce(bool) -> LabelSet,
    ) -> Arc<LabelSet> {
        let hash = dimensions.hash();
        let slots = self.slots.get_or_init(|| empty_slots(self.cap));
        match find(slots, hash, dimensions) {
            Ok(set) => Arc::clone(set),
            Err(_) => self.insert(slots, hash, dimensions, create),
        }
    }

    #[cold]
    fn insert(
        &self,
        slots: &[Slot],
        hash: u64,
        dimensions: &Dimensions<'_>,
        create: impl FnOnce(bool) -> LabelSet,
    ) -> Arc<LabelSet> {
        if let Some(overflow) = self.overflow.get() {
            return Arc::clone(overflow);
        }
        let mut len = self.len.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have inserted the set before this one took the lock.
        let free = match find(slots, hash, dimensions) {
            Ok(set) => return Arc::clone(set),
            Err(free) => free,
        };
        if *len >= self.cap {
            drop(len);
            return Arc::clone(self.overflow.get_or_init(|| Arc::new(create(true))));
        }
        *len += 1;
        Arc::clone(&free.get_or_init(|| (hash, Arc::new(create(false)))).1)
    }
}

#[cold]
fn empty_slots(cap: usize) -> Box<[Slot]> {
    let slots = cap.saturating_mul(2).next_power_of_two();
    (0..slots).map(|_| Slot::new()).collect()
}

/// Returns the set of `dimensions`, or else the free slot at which its search ended (linear
/// probing).
#[inline]
fn find<'a>(
    slots: &'a [Slot],
    hash: u64,
    dimensions: &Dimensions<'_>,
) -> Result<&'a Arc<LabelSet>, &'a Slot> {
    let mask = slots.len() - 1;
    let mut index = hash as usize;
    // Terminates: at most half of the slots are ever occupied.
    loop {
        let slot = &slots[index & mask];
        match slot.get() {
            Some((known, set)) if *known == hash && set.matches(dimensions) => return Ok(set),
            Some(_) => index = index.wrapping_add(1),
            None => return Err(slot),
        }
    }
}
