//! What is kept until it ends: one value for each key, one fetch for each key at a time.
//!
//! A value lives in a slot, and a slot is one generation of its key: to forget a value is to take
//! its slot off the map. A fetch that is under way then ends in a slot that nobody finds any more,
//! so it cannot bring a forgotten value back.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use oauth_core::clock::Clock;

use crate::Error;

pub(super) struct Cache<K, V> {
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
    clock: Arc<dyn Clock>,
}

struct Slot<V> {
    /// Held across a fetch. A caller that is dropped lets go of it, and the next one fetches.
    flight: tokio::sync::Mutex<()>,
    state: Mutex<State<V>>,
}

struct State<V> {
    kept: Option<Kept<V>>,
    /// How many fetches have ended, and how the last one did: for those who waited for it.
    ended: u64,
    last: Option<Result<V, Error>>,
}

struct Kept<V> {
    value: V,
    /// Both clocks must agree: the wall clock can be set back, the other one can stand still
    /// while the machine sleeps.
    until: (SystemTime, Duration),
}

impl<K: Hash + Eq + Clone + Send + Sync, V: Clone + Send + Sync> Cache<K, V> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            slots: Mutex::default(),
            clock,
        }
    }

    /// The value of `key`. When none is fresh, `fetch` brings one and says how long it is; it is
    /// handed the value that has ended. Whoever waits for a fetch gets what it brings, also a
    /// failure: a hundred callers make one request, not a hundred that fail.
    pub(super) async fn get<F>(
        &self,
        key: &K,
        fetch: impl FnOnce(Option<V>) -> F + Send,
    ) -> Result<V, Error>
    where
        F: Future<Output = Result<(V, Duration), Error>> + Send,
    {
        let slot = Arc::clone(
            lock(&self.slots)
                .entry(key.clone())
                .or_insert_with(Slot::new),
        );
        let ended = match self.look(&slot) {
            Ok(value) => return Ok(value),
            Err(ended) => ended,
        };
        let _flight = slot.flight.lock().await;
        match self.look(&slot) {
            Ok(value) => return Ok(value),
            Err(now) if now > ended => {
                if let Some(result) = lock(&slot.state).last.clone() {
                    return result;
                }
            }
            Err(_) => {}
        }
        let begun = (self.clock.now(), self.clock.monotonic());
        let ended_value = lock(&slot.state)
            .kept
            .as_ref()
            .map(|kept| kept.value.clone());
        let fetched = fetch(ended_value).await;
        let mut state = lock(&slot.state);
        state.ended += 1;
        let result = fetched.map(|(value, ttl)| {
            let until = (
                begun.0.checked_add(ttl).unwrap_or(begun.0),
                begun.1.saturating_add(ttl),
            );
            state.kept = Some(Kept {
                value: value.clone(),
                until,
            });
            value
        });
        state.last = Some(result.clone());
        let nothing_kept = state.kept.is_none();
        drop(state);
        if nothing_kept {
            // Keys come from callers: what failed leaves nothing behind.
            self.remove_slot(key, &slot);
        }
        result
    }

    /// Forgets the value of `key`; says whether there was one, or one under way.
    pub(super) fn remove(&self, key: &K) -> bool {
        let removed = lock(&self.slots).remove(key);
        removed
            .is_some_and(|slot| lock(&slot.state).kept.is_some() || slot.flight.try_lock().is_err())
    }

    /// Forgets the value of `key` if it still is this one, and not a newer one.
    pub(super) fn remove_if(&self, key: &K, is: impl Fn(&V) -> bool) {
        let mut slots = lock(&self.slots);
        if slots.get(key).is_some_and(|slot| slot.holds(&is)) {
            slots.remove(key);
        }
    }

    /// Forgets every value that is this one.
    pub(super) fn remove_all_if(&self, is: impl Fn(&V) -> bool) {
        lock(&self.slots).retain(|_, slot| !slot.holds(&is));
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        lock(&self.slots).clear();
    }

    /// The fresh value, or how many fetches have ended so far.
    fn look(&self, slot: &Slot<V>) -> Result<V, u64> {
        let state = lock(&slot.state);
        let now = (self.clock.now(), self.clock.monotonic());
        match &state.kept {
            Some(kept) if now.0 < kept.until.0 && now.1 < kept.until.1 => Ok(kept.value.clone()),
            _ => Err(state.ended),
        }
    }

    fn remove_slot(&self, key: &K, slot: &Arc<Slot<V>>) {
        let mut slots = lock(&self.slots);
        if slots.get(key).is_some_and(|have| Arc::ptr_eq(have, slot)) {
            slots.remove(key);
        }
    }
}

impl<V> Slot<V> {
    fn new() -> Arc<Self> {
        let state = State {
            kept: None,
            ended: 0,
            last: None,
        };
        Arc::new(Self {
            flight: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
        })
    }

    fn holds(&self, is: impl Fn(&V) -> bool) -> bool {
        lock(&self.state)
            .kept
            .as_ref()
            .is_some_and(|kept| is(&kept.value))
    }
}

/// A panic elsewhere leaves whole values behind, never half of one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
