//! The table of label sets with a cap of three, read while other threads insert.

#[path = "../../../hub-otel/src/metrics/slots.rs"]
mod slots;

use crate::sync::Arc;
use crate::{every_order, many_orders, thread, together};
use dimensions::Dimensions;
use series::LabelSet;
use slots::SlotTable;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Replaces the labels by an identity and a hash of the scenario, so that searches collide.
mod dimensions {
    pub(crate) struct Dimensions<'a> {
        pub(super) id: &'a str,
        pub(super) hash: u64,
    }

    impl Dimensions<'_> {
        pub(crate) fn hash(&self) -> u64 {
            self.hash
        }
    }
}

/// Replaces the label set by its identity.
mod series {
    use super::dimensions::Dimensions;

    pub(crate) struct LabelSet {
        pub(super) id: String,
        pub(super) overflowing: bool,
    }

    impl LabelSet {
        pub(crate) fn matches(&self, dimensions: &Dimensions<'_>) -> bool {
            self.id == dimensions.id
        }
    }
}

/// A cap that the scenarios reach.
const CAP: usize = 3;

/// A table with counters of created sets: regular ones and overflow sets.
struct Table {
    table: SlotTable,
    made: [AtomicUsize; 2],
}

impl Default for Table {
    fn default() -> Self {
        Self { table: SlotTable::new(CAP), made: Default::default() }
    }
}

impl Table {
    fn get(&self, id: &str, hash: u64) -> Arc<LabelSet> {
        self.table.get_or_insert(&Dimensions { id, hash }, |overflowing| {
            self.made[usize::from(overflowing)].fetch_add(1, SeqCst);
            LabelSet { id: id.to_owned(), overflowing }
        })
    }

    fn made(&self) -> (usize, usize) {
        let listed = self.table.sets().count();
        assert_eq!(listed, self.made.iter().map(|made| made.load(SeqCst)).sum::<usize>());
        (self.made[0].load(SeqCst), self.made[1].load(SeqCst))
    }
}

/// First slot of a search: distinct for `a` and `b`, common to all other sets.
fn distinct_slots(id: &str) -> u64 {
    match id {
        "a" => 4,
        "b" => 5,
        _ => 0,
    }
}

/// Creates a table that contains `ids`.
fn holding(ids: &[&str]) -> Arc<Table> {
    let table = Table::default();
    for id in ids {
        table.get(id, distinct_slots(id));
    }
    Arc::new(table)
}

/// Looks up each list of `ids` in a thread of its own and returns the table.
///
/// Each lookup must return the set of its labels or the overflow set.
fn look_up(
    table: Arc<Table>,
    hash: fn(&str) -> u64,
    ids: &[&'static [&'static str]],
) -> Arc<Table> {
    let looking = |ids: &'static [&'static str]| {
        let table = Arc::clone(&table);
        thread(move || {
            for id in ids {
                let set = table.get(id, hash(id));
                assert!(set.overflowing || set.id == *id, "{id} got the set of {}", set.id);
            }
        })
    };
    together(ids.iter().copied().map(looking).collect());
    table
}

/// Two threads look up the same new set. It is created once.
pub fn same_set() {
    every_order(|| {
        let table = look_up(holding(&["a"]), distinct_slots, &[&["c"], &["c"]]);
        assert_eq!(table.made(), (2, 0));
    });
}

/// Two sets with the same first slot are inserted concurrently. Each is found afterwards.
pub fn same_place() {
    every_order(|| {
        let table = look_up(holding(&["a"]), distinct_slots, &[&["c"], &["d"]]);
        let found = ["a", "c", "d"].map(|id| table.get(id, distinct_slots(id)).id.clone());
        assert_eq!((found.each_ref().map(|id| &**id), table.made()), (["a", "c", "d"], (3, 0)));
    });
}

/// Two sets beyond the cap share the overflow set, which is created once.
///
/// Random orders: all five million take more than a minute.
pub fn no_room() {
    many_orders(|| {
        let table = look_up(holding(&["a", "b", "c"]), distinct_slots, &[&["d"], &["e"]]);
        assert_eq!(table.made(), (3, 1));
        assert!(Arc::ptr_eq(&table.get("d", 0), &table.get("e", 0)));
    });
}

/// Two sets compete for the last slot below the cap. One is created, the other one is the overflow
/// set.
pub fn last_room() {
    every_order(|| {
        let table = look_up(holding(&["a", "b"]), distinct_slots, &[&["c"], &["d"]]);
        assert_eq!(table.made(), (3, 1));
        assert!(table.get("c", 0).overflowing != table.get("d", 0).overflowing);
    });
}

/// More sets than the cap, in an empty table. The cap holds, and sets in the table stay.
pub fn crowded() {
    many_orders(|| {
        let hash = |id: &str| u64::from(id.as_bytes()[0] % 2);
        let table =
            look_up(Arc::default(), hash, &[&["a", "b", "c"], &["d", "a", "e"], &["e", "d", "b"]]);
        let sets = ["a", "b", "c", "d", "e"].map(|id| table.get(id, hash(id)));
        assert_eq!(table.made(), (3, 1));
        let (shared, own): (Vec<_>, Vec<_>) = sets.iter().partition(|set| set.overflowing);
        assert_eq!((shared.len(), own.len()), (2, 3));
        assert!(Arc::ptr_eq(shared[0], shared[1]));
    });
}
