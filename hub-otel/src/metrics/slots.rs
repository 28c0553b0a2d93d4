//! Lock-free lookup of label sets.
//!
//! An open-addressing table of a fixed size that only grows in content. Readers therefore need no
//! lock. Label sets beyond [`MAX_LABEL_SETS`] share one overflow set.

use crate::metrics::dimensions::{Dimensions, MAX_LABEL_SETS};
use crate::metrics::series::LabelSet;
use crate::sync::{Arc, Mutex, OnceLock, PoisonError};

/// At least twice the cap, so that a search ends after one or two steps. A power of two.
const SLOTS: usize = (2 * MAX_LABEL_SETS).next_power_of_two();

/// A label set and the hash of its dimensions.
type Slot = OnceLock<(u64, Arc<LabelSet>)>;
type Slots = [Slot; SLOTS];

/// Label sets by the hash of their dimensions.
#[derive(Default)]
pub(crate) struct SlotTable {
    slots: OnceLock<Box<Slots>>,
    /// Number of occupied slots. Locked during an insertion.
    len: Mutex<usize>,
    overflow: OnceLock<Arc<LabelSet>>,
}

impl SlotTable {
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
        let slots = self.slots.get_or_init(empty_slots);
        match find(slots, hash, dimensions) {
            Ok(set) => Arc::clone(set),
            Err(_) => self.insert(slots, hash, dimensions, create),
        }
    }

    #[cold]
    fn insert(
        &self,
        slots: &Slots,
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
        if *len >= MAX_LABEL_SETS {
            drop(len);
            return Arc::clone(self.overflow.get_or_init(|| Arc::new(create(true))));
        }
        *len += 1;
        Arc::clone(&free.get_or_init(|| (hash, Arc::new(create(false)))).1)
    }
}

#[cold]
fn empty_slots() -> Box<Slots> {
    Box::new([const { Slot::new() }; SLOTS])
}

/// Returns the set of `dimensions`, or else the free slot at which its search ended (linear
/// probing).
#[inline]
fn find<'a>(
    slots: &'a Slots,
    hash: u64,
    dimensions: &Dimensions<'_>,
) -> Result<&'a Arc<LabelSet>, &'a Slot> {
    let mut index = hash as usize;
    // Terminates: at most half of the slots are ever occupied.
    loop {
        let slot = &slots[index % SLOTS];
        match slot.get() {
            Some((known, set)) if *known == hash && set.matches(dimensions) => return Ok(set),
            Some(_) => index = index.wrapping_add(1),
            None => return Err(slot),
        }
    }
}
