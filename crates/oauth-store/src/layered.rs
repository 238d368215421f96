//! Memory over a durable store, for the time when the store is down.
//!
//! ```
//! use oauth_core::store::MemoryStore;
//! use oauth_store::Layered;
//!
//! // At most so many records are remembered.
//! let store = Layered::new(MemoryStore::new(), 10_000);
//! # let _ = store;
//! ```

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::store::{
    Lease, Owner, Record, StoreError, StoreErrorKind, Stored, TokenStore, Version,
};

/// A durable store, and the memory of what it last said.
///
/// What is stored is what the durable store says: each call goes to it first, as another process
/// may have spent the refresh token that is remembered here. Only when it is
/// [unavailable](StoreErrorKind::Unavailable), a record read or written before is loaded from
/// memory, with its version, so that what is saved from it later replaces nothing unseen. Nothing
/// is ever saved in memory alone.
pub struct Layered<S> {
    durable: S,
    memory: Mutex<Memory>,
}

/// What is remembered: the record longest unused goes first.
struct Memory {
    records: HashMap<Owner, Remembered>,
    capacity: usize,
    /// Counts uses.
    now: u64,
}

struct Remembered {
    stored: Stored,
    written: u64,
    used: u64,
}

impl<S> Layered<S> {
    /// Remembers at most `capacity` records of `durable`.
    pub fn new(durable: S, capacity: usize) -> Self {
        Self {
            durable,
            memory: Mutex::new(Memory {
                records: HashMap::new(),
                capacity,
                now: 0,
            }),
        }
    }
}

impl<S> Layered<S> {
    fn memory<T>(&self, act: impl FnOnce(&mut Memory) -> T) -> T {
        // Each change leaves the memory whole: a panic elsewhere breaks nothing here.
        act(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self) -> u64 {
        self.memory(Memory::tick)
    }

    fn forget(&self, owner: &Owner) {
        self.memory(|memory| memory.records.remove(owner));
    }
}

impl Memory {
    /// Remembers what a call that began then was told, unless one that ended meanwhile knows
    /// better.
    fn put(&mut self, owner: &Owner, stored: Stored, began: u64) {
        let now = self.tick();
        let newer = |have: &Remembered| have.written > began;
        if self.records.get(owner).is_some_and(newer) {
            return;
        }
        let remembered = Remembered {
            stored,
            written: now,
            used: now,
        };
        self.records.insert(owner.clone(), remembered);
        if self.records.len() > self.capacity {
            self.shrink();
        }
    }

    fn get(&mut self, owner: &Owner) -> Option<Stored> {
        let now = self.tick();
        let remembered = self.records.get_mut(owner)?;
        remembered.used = now;
        Some(remembered.stored.clone())
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// Forgets an eighth at once, so that the search for the oldest is rare.
    fn shrink(&mut self) {
        let keep = self.capacity - self.capacity / 8;
        let mut used: Vec<_> = self.records.values().map(|have| have.used).collect();
        let forget = used.len() - keep;
        if forget == used.len() {
            return self.records.clear();
        }
        let (_, oldest_kept, _) = used.select_nth_unstable(forget);
        let oldest_kept = *oldest_kept;
        self.records.retain(|_, have| have.used >= oldest_kept);
    }
}

#[async_trait]
impl<S: TokenStore> TokenStore for Layered<S> {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        let began = self.begin();
        match self.durable.load(owner).await {
            Ok(Some(stored)) => {
                self.memory(|memory| memory.put(owner, stored.clone(), began));
                Ok(Some(stored))
            }
            Ok(None) => {
                self.forget(owner);
                Ok(None)
            }
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                let remembered = self.memory(|memory| memory.get(owner));
                remembered.map(Some).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        let began = self.begin();
        let saved = self.durable.save(owner, record, replaces, lease).await;
        match &saved {
            Ok(version) => {
                let stored = Stored::new(record.clone(), *version);
                self.memory(|memory| memory.put(owner, stored, began));
            }
            // What is remembered is not what is stored, or may soon not be.
            Err(_) => self.forget(owner),
        }
        saved
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        self.forget(owner);
        let gone = self.durable.remove(owner).await;
        // Once more: it may have been read meanwhile.
        self.forget(owner);
        gone
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        let gone = self.durable.clear().await;
        self.memory(|memory| memory.records.clear());
        gone
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.durable.lease(name, ttl).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.durable.release(lease).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.durable.due(before, limit).await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        self.durable.purge(before, limit).await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.durable.owners(after, limit).await
    }
}

impl<S: fmt::Debug> fmt::Debug for Layered<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remembered = self.memory(|memory| memory.records.len());
        f.debug_struct("Layered")
            .field("durable", &self.durable)
            .field("remembered", &remembered)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
