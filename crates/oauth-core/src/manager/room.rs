//! Maps that do not grow with everybody who was ever in them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::timeline::Moment;

/// Where it would have to grow for one more, lets go of what is not `alive`. Each look at all of it
/// is paid for by as many insertions.
pub(crate) fn make_room<K: Hash + Eq, V>(
    map: &mut HashMap<K, V>,
    alive: impl FnMut(&K, &mut V) -> bool,
) {
    if map.len() < 64 || map.len() < map.capacity() {
        return;
    }
    map.retain(alive);
    map.shrink_to(map.len() * 2);
    map.reserve(map.len());
}

/// Values that count until a moment of their own.
#[derive(Debug)]
pub(crate) struct Expiring<K, V>(Mutex<HashMap<K, (V, Moment)>>);

impl<K: Hash + Eq, V> Expiring<K, V> {
    pub(crate) fn get(&self, key: &K, now: Moment) -> Option<V>
    where
        V: Clone,
    {
        let map = self.lock();
        let (value, until) = map.get(key)?;
        (now < *until).then(|| value.clone())
    }

    pub(crate) fn contains(&self, key: &K, now: Moment) -> bool {
        self.lock().get(key).is_some_and(|(_, until)| now < *until)
    }

    /// Puts what `make` makes of what was there, also of what counts no more, in its place.
    pub(crate) fn put(&self, key: K, now: Moment, make: impl FnOnce(Option<&V>) -> (V, Moment)) {
        let mut map = self.lock();
        let made = make(map.get(&key).map(|(value, _)| value));
        make_room(&mut map, |_, (_, until)| now < *until);
        map.insert(key, made);
    }

    pub(crate) fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    pub(crate) fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.lock().retain(|key, _| keep(key));
    }

    pub(crate) fn clear(&self) {
        *self.lock() = HashMap::new();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (V, Moment)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_keys_that_are_over_leave_room_for_few() {
        let map = Expiring::default();
        for now in 0..1_000_000_u64 {
            map.put(now, now, |_| ((), now + 100));
        }
        assert!(map.lock().capacity() < 1000, "{}", map.lock().capacity());
        assert!(map.contains(&999_999, 999_999));
        assert!(!map.contains(&999_999, 1_000_099));
    }

    #[test]
    fn what_counts_is_looked_through_seldom() {
        let (mut map, mut looks) = (HashMap::new(), 0_u64);
        for key in 0..100_000_u64 {
            make_room(&mut map, |_, _: &mut ()| {
                looks += 1;
                true
            });
            map.insert(key, ());
        }
        assert!(looks < 300_000, "{looks}");
    }
}
