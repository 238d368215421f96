//! A map that grows a piece at a time: while a large one moves all its entries, everybody waits.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
};

/// A million entries are then 15,000 that move at once.
const SHARDS: usize = 64;

#[derive(Debug)]
pub(crate) struct Shards<K, V> {
    hasher: RandomState,
    shards: Vec<HashMap<K, V>>,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let hasher = RandomState::default();
        let shard = || HashMap::with_hasher(hasher.clone());
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher,
        }
    }
}

impl<K: Eq + Hash, V> Shards<K, V> {
    /// A map takes the lowest bits and the highest of the hash to find an entry; what is between
    /// them is left to choose the map.
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        (self.hasher.hash_one(key) >> 40) as usize % SHARDS
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards.get(self.shard(key))?.get(key)
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key);
        self.shards.get_mut(shard)?.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let shard = self.shard(&key);
        self.shards[shard].insert(key, value)
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key);
        self.shards.get_mut(shard)?.remove(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flatten()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.shards.iter_mut().flat_map(HashMap::values_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_spread_evenly_and_found_again() {
        let mut map = Shards::default();
        for key in 0..6400_u32 {
            map.insert(key, key);
        }
        let sizes = || map.shards.iter().map(HashMap::len);
        assert!(sizes().all(|size| (50..200).contains(&size)));
        assert_eq!(sizes().sum::<usize>(), map.iter().count());
        *map.get_mut(&7).expect("it is there") += 1;
        assert_eq!(map.get(&7), Some(&8));
        assert_eq!((map.remove(&7), map.remove(&7)), (Some(8), None));
        assert_eq!(map.values_mut().filter(|value| **value == 2).count(), 1);
    }
}
