//! From labels that are only known at run time to their bound instruments: one fast hash, one read lock, no allocation.
//!
//! Capped: past [`LABEL_SETS`] every new combination shares one set, the SDK's overflow series.

use super::{Dimensions, LABEL_SETS, LabelSet};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Label sets by the hash of their dimensions.
#[derive(Default)]
pub(crate) struct Cache {
    sets: RwLock<Sets>,
    overflow: OnceLock<Arc<LabelSet>>,
}

#[derive(Default)]
struct Sets {
    // Almost every bucket holds one set; an attacker who finds colliding ids makes us compare at most `LABEL_SETS`.
    by_hash: HashMap<u64, Vec<Arc<LabelSet>>, BuildHasherDefault<Hashed>>,
    count: usize,
}

impl Sets {
    fn find(&self, hash: u64, dimensions: &Dimensions<'_>) -> Option<&Arc<LabelSet>> {
        self.by_hash.get(&hash)?.iter().find(|set| set.is(dimensions))
    }
}

impl Cache {
    /// The set of `dimensions`: found, made, or past the cap the shared one.
    pub(crate) fn get(
        &self,
        dimensions: &Dimensions<'_>,
        make: impl FnOnce() -> LabelSet,
        overflow: impl FnOnce() -> LabelSet,
    ) -> Arc<LabelSet> {
        let hash = dimensions.hash();
        if let Some(set) = self.sets.read().unwrap_or_else(PoisonError::into_inner).find(hash, dimensions) {
            return Arc::clone(set);
        }
        self.insert(hash, dimensions, make, overflow)
    }

    #[cold]
    fn insert(
        &self,
        hash: u64,
        dimensions: &Dimensions<'_>,
        make: impl FnOnce() -> LabelSet,
        overflow: impl FnOnce() -> LabelSet,
    ) -> Arc<LabelSet> {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.find(hash, dimensions) {
            return Arc::clone(set);
        }
        if sets.count >= LABEL_SETS {
            drop(sets);
            let set = overflow();
            return Arc::clone(self.overflow.get_or_init(|| Arc::new(set)));
        }
        let set = Arc::new(make());
        sets.count += 1;
        sets.by_hash.entry(hash).or_default().push(Arc::clone(&set));
        set
    }
}

/// Passes a hash through.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        // Keys are `u64`.
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Multiply and rotate, eight bytes at a time: label values are short, and the cap bounds what a collision costs.
pub(crate) fn mix(mut hash: u64, text: &str) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR).rotate_left(29);
    }
    let mut last = [0_u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR).rotate_left(29);
    (hash ^ text.len() as u64).wrapping_mul(FACTOR)
}
