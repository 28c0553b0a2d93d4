//! Ids of runs that nobody named: UUIDv7, so that they sort by time.

use opentelemetry::StringValue;
use std::cell::Cell;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// A new id for a run that began at `now`.
pub(crate) fn new(now: SystemTime) -> StringValue {
    let milliseconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut noise = [0_u8; 10];
    noise[..8].copy_from_slice(&random().to_le_bytes());
    noise[8..].copy_from_slice(&random().to_le_bytes()[..2]);
    let milliseconds = u64::try_from(milliseconds).unwrap_or(u64::MAX);
    let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &noise).into_uuid();
    let mut text = [0_u8; uuid::fmt::Hyphenated::LENGTH];
    crate::shared_str::share_str(id.hyphenated().encode_lower(&mut text))
}

/// SplitMix64, seeded per thread by the standard library: ids have to be unlike each other, not secret.
pub(crate) fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(std::thread::current().id()));
    }
    let advance = |state: &Cell<u64>| {
        let seed = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(seed);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    // A thread that is ending has no state any more.
    STATE.try_with(advance).unwrap_or_else(|_| RandomState::new().hash_one(0_u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_differ_and_are_uuids_of_version_7() {
        let now = SystemTime::now();
        let ids: HashSet<_> = (0..1_000).map(|_| new(now).as_str().to_owned()).collect();
        assert_eq!(ids.len(), 1_000);
        for id in ids {
            assert_eq!(uuid::Uuid::try_parse(&id).unwrap().get_version_num(), 7, "{id}");
        }
    }
}
