//! From labels that are only known at run time to their bound instruments: one fast hash, no lock, no allocation.
//!
//! A table of a fixed size that is only ever added to, so that readers need no lock. Capped: past [`LABEL_SETS`] every new
//! combination shares one set, the SDK's overflow series.

use crate::metrics::{Dimensions, LABEL_SETS, LabelSet};
use crate::sync::{Arc, Mutex, OnceLock, PoisonError};

/// More than twice the sets, so that a search ends after a step or two; a power of two.
const PLACES: usize = (2 * LABEL_SETS).next_power_of_two();

/// A set, and the hash of its dimensions.
type Place = OnceLock<(u64, Arc<LabelSet>)>;
type Places = [Place; PLACES];

/// Label sets by the hash of their dimensions.
#[derive(Default)]
pub(crate) struct Cache {
    places: OnceLock<Box<Places>>,
    /// How many places are taken. Locked while one is.
    taken: Mutex<usize>,
    overflow: OnceLock<Arc<LabelSet>>,
}

impl Cache {
    /// The set of `dimensions`: found, made, or past the cap the shared one, for which `make` is told `true`.
    #[inline]
    pub(crate) fn get(
        &self,
        dimensions: &Dimensions<'_>,
        make: impl FnOnce(bool) -> LabelSet,
    ) -> Arc<LabelSet> {
        let hash = dimensions.hash();
        let places = self.places.get_or_init(empty);
        match find(places, hash, dimensions) {
            Ok(set) => Arc::clone(set),
            Err(_) => self.insert(places, hash, dimensions, make),
        }
    }

    #[cold]
    fn insert(
        &self,
        places: &Places,
        hash: u64,
        dimensions: &Dimensions<'_>,
        make: impl FnOnce(bool) -> LabelSet,
    ) -> Arc<LabelSet> {
        if let Some(overflow) = self.overflow.get() {
            return Arc::clone(overflow);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have added it meanwhile.
        let free = match find(places, hash, dimensions) {
            Ok(set) => return Arc::clone(set),
            Err(free) => free,
        };
        if *taken >= LABEL_SETS {
            drop(taken);
            return Arc::clone(self.overflow.get_or_init(|| Arc::new(make(true))));
        }
        *taken += 1;
        Arc::clone(&free.get_or_init(|| (hash, Arc::new(make(false)))).1)
    }
}

#[cold]
fn empty() -> Box<Places> {
    Box::new([const { Place::new() }; PLACES])
}

/// The set of `dimensions`, or the free place where the search for it ended.
#[inline]
fn find<'a>(
    places: &'a Places,
    hash: u64,
    dimensions: &Dimensions<'_>,
) -> Result<&'a Arc<LabelSet>, &'a Place> {
    let mut index = hash as usize;
    // Ends: fewer than half of the places are ever taken.
    loop {
        let place = &places[index % PLACES];
        match place.get() {
            Some((known, set)) if *known == hash && set.is(dimensions) => return Ok(set),
            Some(_) => index = index.wrapping_add(1),
            None => return Err(place),
        }
    }
}

/// Multiply and rotate, eight bytes at a time: label values are short, and the cap bounds what a collision costs.
#[inline]
pub(crate) fn mix(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    if bytes.len() > 8 {
        for word in bytes.as_chunks::<8>().0 {
            hash = step(hash, u64::from_le_bytes(*word));
        }
    }
    step(hash ^ (bytes.len() as u64) << 56, tail(bytes))
}

#[inline]
fn step(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// The last eight bytes, or all of fewer: the same byte may come twice, none is left out.
#[inline]
fn tail(bytes: &[u8]) -> u64 {
    if let Some(last) = bytes.last_chunk() {
        return u64::from_le_bytes(*last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_byte_counts() {
        let text = "abcdefghijklmnopqrstuvw";
        for length in 0..=text.len() {
            let plain = &text[..length];
            let mut hashes = HashSet::from([mix(0, plain)]);
            for place in 0..length {
                let mut other = plain.as_bytes().to_vec();
                other[place] = b'Z';
                assert!(
                    hashes.insert(mix(0, &String::from_utf8(other).unwrap())),
                    "{plain} at {place}"
                );
            }
        }
    }
}
