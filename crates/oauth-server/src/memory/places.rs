//! Finds slots by what is in them, with eight bytes for each.

use hashbrown::HashTable;

use super::arena::Slot;

/// So that it grows a piece at a time: while a table moves all its entries, everybody waits. Of a
/// million it is then 15,000 that move at once.
const SHARDS: u64 = 64;

/// Odd, so that two numbers never become one: 2^64 divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number for each slot, as good as random or counted up, that is not always its own: who looks
/// for one says whether a slot is the right one.
#[derive(Debug)]
pub(super) struct Places {
    shards: Vec<HashTable<Place>>,
}

/// A slot, and above it 24 bits of its number: enough to tell nearly all in a shard apart, and to
/// move an entry without a look at what is in the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u64);

/// A slot is below 2^40: memory ends before.
const SLOT_BITS: u32 = 40;

impl Default for Places {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
        }
    }
}

impl Places {
    pub(super) fn find(&self, number: u64, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        let mark = mark(number);
        let found = |place: &Place| place.mark() == mark && place.slot().is_some_and(&is_it);
        let place = self.shards[shard(number)].find(hash(mark), found)?;
        place.slot()
    }

    pub(super) fn insert(&mut self, number: u64, slot: Slot) {
        let mark = mark(number);
        let place = Place(mark << SLOT_BITS | slot.number());
        let rehash = |place: &Place| hash(place.mark());
        self.shards[shard(number)].insert_unique(hash(mark), place, rehash);
    }

    pub(super) fn remove(&mut self, number: u64, slot: Slot) {
        let mark = mark(number);
        let place = Place(mark << SLOT_BITS | slot.number());
        let found = self.shards[shard(number)].find_entry(hash(mark), |it| *it == place);
        if let Ok(found) = found {
            found.remove();
        }
    }
}

impl Place {
    fn mark(self) -> u64 {
        self.0 >> SLOT_BITS
    }

    fn slot(self) -> Option<Slot> {
        Slot::numbered(self.0 & ((1 << SLOT_BITS) - 1))
    }
}

/// Numbers that follow each other lie in tables that follow each other, and there side by side:
/// memory that was touched a moment ago.
fn shard(number: u64) -> usize {
    (number % SHARDS) as usize
}

fn mark(number: u64) -> u64 {
    (number / SHARDS) & ((1 << (64 - SLOT_BITS)) - 1)
}

/// The table takes the lowest bits to find a group, and the seven highest of a `usize` to tell apart
/// who is in it.
fn hash(mark: u64) -> u64 {
    mark | mark.wrapping_mul(SPREAD) & (!0 << (64 - SLOT_BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{super::arena::Arena, *};

    impl Places {
        pub(crate) fn len(&self) -> usize {
            self.shards.iter().map(HashTable::len).sum()
        }
    }

    #[test]
    fn what_has_the_same_number_is_told_apart() {
        let (mut arena, mut places) = (Arena::default(), Places::default());
        let slots: Vec<_> = ["a", "b", "c"].map(|value| arena.insert(value)).into();
        for slot in &slots {
            places.insert(7, *slot);
        }
        let find = |places: &Places, value| places.find(7, |it| arena.get(it) == Some(&value));
        assert_eq!(find(&places, "b"), Some(slots[1]));
        assert_eq!(places.find(8, |_| true), None);
        places.remove(7, slots[1]);
        places.remove(8, slots[2]);
        let left = ["a", "b", "c"].map(|value| find(&places, value));
        assert_eq!(left, [Some(slots[0]), None, Some(slots[2])]);
    }

    #[test]
    fn every_entry_is_found_after_the_tables_have_grown() {
        let (mut arena, mut places) = (Arena::default(), Places::default());
        let of = |number: u64| number.wrapping_mul(SPREAD);
        for number in 0..100_000 {
            let slot = arena.insert(number);
            places.insert(of(number), slot);
        }
        for number in 0..100_000 {
            let slot = places.find(of(number), |it| arena.get(it) == Some(&number));
            assert!(slot.is_some(), "{number}");
            places.remove(of(number), slot.unwrap());
        }
        assert_eq!(places.len(), 0);
    }

    #[test]
    fn numbers_that_are_counted_get_places_of_their_own() {
        let places: HashSet<_> = (0..6400)
            .map(|number| (shard(number), hash(mark(number)) % 128))
            .collect();
        assert_eq!(places.len(), 6400);
        let tags = |shard| {
            let inside = (0..640).filter(move |number| number % SHARDS == shard);
            let tags: HashSet<_> = inside.map(|number| hash(mark(number)) >> 57).collect();
            tags.len()
        };
        assert!((0..SHARDS).all(|shard| tags(shard) > 5), "{}", tags(0));
    }
}
