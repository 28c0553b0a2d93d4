//! The table of label sets, with room for three of them, looked up while others insert.

#[path = "../../../hub-otel/src/metrics/cache.rs"]
mod cache;

use crate::sync::Arc;
use crate::{every_order, many_orders, thread, together};
use cache::Cache;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The cap, so small that it is reached.
const LABEL_SETS: usize = 3;

/// In the place of the real labels: an identity, and a hash that the scenario chooses, so that sets meet in one place.
struct Dimensions<'a> {
    id: &'a str,
    hash: u64,
}

impl Dimensions<'_> {
    fn hash(&self) -> u64 {
        self.hash
    }
}

/// In the place of a real label set: its identity alone.
struct LabelSet {
    id: String,
    overflowing: bool,
}

impl LabelSet {
    fn is(&self, dimensions: &Dimensions<'_>) -> bool {
        self.id == dimensions.id
    }
}

/// A table, and how often it had a set made: of its own, and the shared one.
#[derive(Default)]
struct Table {
    cache: Cache,
    made: [AtomicUsize; 2],
}

impl Table {
    fn get(&self, id: &str, hash: u64) -> Arc<LabelSet> {
        self.cache.get(&Dimensions { id, hash }, |overflowing| {
            self.made[usize::from(overflowing)].fetch_add(1, SeqCst);
            LabelSet { id: id.to_owned(), overflowing }
        })
    }

    fn made(&self) -> (usize, usize) {
        (self.made[0].load(SeqCst), self.made[1].load(SeqCst))
    }
}

/// Where the search begins: for the first two sets at places of their own, for all others at the same one.
fn apart(id: &str) -> u64 {
    match id {
        "a" => 4,
        "b" => 5,
        _ => 0,
    }
}

/// A table with `ids` in it.
fn holding(ids: &[&str]) -> Arc<Table> {
    let table = Table::default();
    for id in ids {
        table.get(id, apart(id));
    }
    Arc::new(table)
}

/// Looks `ids` up, each list in a thread of its own. Whoever asks gets the set of its labels or the shared one.
/// Gives the table as it is afterwards.
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

/// Two threads ask for the same new set: it is made once.
pub fn same_set() {
    every_order(|| {
        let table = look_up(holding(&["a"]), apart, &[&["c"], &["c"]]);
        assert_eq!(table.made(), (2, 0));
    });
}

/// Two sets whose search begins at the same place, inserted at the same time: each is found again.
pub fn same_place() {
    every_order(|| {
        let table = look_up(holding(&["a"]), apart, &[&["c"], &["d"]]);
        let found = ["a", "c", "d"].map(|id| table.get(id, apart(id)).id.clone());
        assert_eq!((found.each_ref().map(|id| &**id), table.made()), (["a", "c", "d"], (3, 0)));
    });
}

/// Two sets when there is no room any more: they share one, which is made once. (Every order is five
/// million of them, more than a minute.)
pub fn no_room() {
    many_orders(|| {
        let table = look_up(holding(&["a", "b", "c"]), apart, &[&["d"], &["e"]]);
        assert_eq!(table.made(), (3, 1));
        assert!(Arc::ptr_eq(&table.get("d", 0), &table.get("e", 0)));
    });
}

/// The last room, for which two sets come: one gets it, the other one goes into the shared set.
pub fn last_room() {
    every_order(|| {
        let table = look_up(holding(&["a", "b"]), apart, &[&["c"], &["d"]]);
        assert_eq!(table.made(), (3, 1));
        assert!(table.get("c", 0).overflowing != table.get("d", 0).overflowing);
    });
}

/// More sets than find room, in a table that is not there yet: the cap holds, and whoever found room keeps it.
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
