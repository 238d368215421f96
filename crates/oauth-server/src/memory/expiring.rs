//! A map whose entries end, and can be cleared away a few at a time.

use std::{borrow::Borrow, collections::BTreeSet, hash::Hash, time::SystemTime};

use super::shards::Shards;

#[derive(Debug)]
pub(crate) struct Expiring<K, V> {
    /// Boxed, so that a map that grows moves little.
    entries: Shards<K, Box<(SystemTime, V)>>,
    ends: BTreeSet<(SystemTime, K)>,
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self {
            entries: Shards::default(),
            ends: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord, V> Expiring<K, V> {
    pub(crate) fn insert(&mut self, key: K, end: SystemTime, value: V) {
        let replaced = self.entries.insert(key.clone(), Box::new((end, value)));
        if let Some(replaced) = replaced {
            self.ends.remove(&(replaced.0, key.clone()));
        }
        self.ends.insert((end, key));
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        // Where there is nothing, not even a hash is to be made.
        if self.ends.is_empty() {
            return None;
        }
        self.entries.get(key).map(|entry| &entry.1)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.1)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.entries.values_mut().map(|entry| &mut entry.1)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (end, value) = *self.entries.remove(key)?;
        self.ends.remove(&(end, key.clone()));
        Some(value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.1))
    }

    /// Takes out at most `limit` entries that ended by `now`, the oldest first.
    pub(crate) fn purge(&mut self, now: SystemTime, limit: usize) -> Vec<V> {
        let ended = self.ends.iter().take_while(|(end, _)| *end <= now);
        let keys: Vec<_> = ended.take(limit).map(|(_, key)| key.clone()).collect();
        keys.iter().filter_map(|key| self.remove(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn purges_in_batches_and_only_what_ended() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut map = Expiring::default();
        for key in 0..10_u64 {
            map.insert(key, at(key), key);
        }
        map.insert(3, at(100), 33);
        assert_eq!(map.purge(at(5), 3), [0, 1, 2]);
        assert_eq!(map.purge(at(5), 30), [4, 5]);
        assert_eq!(map.get(&3), Some(&33));
        assert_eq!(map.iter().count(), map.ends.len());
    }
}
