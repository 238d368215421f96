//! A map that grows a piece at a time: while a large one moves all its entries, everybody waits.

use std::{
    borrow::Borrow,
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, Hash, RandomState},
};

/// A million entries are then 15,000 that move at once.
const SHARDS: usize = 64;

/// `S` hashes keys, as for a [`HashMap`].
#[derive(Debug)]
pub(crate) struct Shards<K, V, S = RandomState> {
    hasher: S,
    shards: Vec<HashMap<K, V, S>>,
}

impl<K, V, S: Clone + Default> Default for Shards<K, V, S> {
    fn default() -> Self {
        let hasher = S::default();
        let shard = || HashMap::with_hasher(hasher.clone());
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher,
        }
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> Shards<K, V, S> {
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

    pub(crate) fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let shard = self.shard(&key);
        self.shards[shard].entry(key)
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
impl<K, V, S> Shards<K, V, S> {
    /// How many entries each map has.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.shards.iter().map(HashMap::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_spread_evenly_and_found_again() {
        let mut map = Shards::<_, _>::default();
        for key in 0..6400_u32 {
            map.insert(key, key);
        }
        assert!(map.sizes().all(|size| (50..200).contains(&size)));
        assert_eq!(map.sizes().sum::<usize>(), map.iter().count());
        *map.get_mut(&7).expect("it is there") += 1;
        assert_eq!(map.get(&7), Some(&8));
        assert_eq!((map.remove(&7), map.remove(&7)), (Some(8), None));
        *map.entry(7).or_insert(1) += 1;
        assert_eq!(map.values_mut().filter(|value| **value == 2).count(), 2);
    }
}
