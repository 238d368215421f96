//! The memory of this process, as a store.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;

use super::{Lease, Owner, Record, StoreError, StoreErrorKind, Stored, TokenStore, Version};
use crate::clock::{Clock, SystemClock};

/// A store in memory: several managers of one process can share it, and it stands for a durable
/// one in tests. Clones share what is kept. A single manager needs none: without a store it keeps
/// its tokens in its own, smaller memory.
#[derive(Clone)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<Owner, Stored>,
    leases: HashMap<String, Held>,
    /// Counts versions and fences of the whole store, so that none is ever given twice.
    counter: u64,
}

struct Held {
    fence: u64,
    until: Duration,
}

impl State {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::new()))
    }

    /// An empty store whose leases run on `clock`.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            state: Arc::default(),
            clock,
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // Each change is one assignment: a panic elsewhere leaves nothing half done.
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = self.with(|state| state.records.len());
        f.debug_struct("MemoryStore")
            .field("records", &records)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenStore for MemoryStore {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        Ok(self.with(|state| state.records.get(owner).cloned()))
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        self.with(|state| {
            if let Some(lease) = lease
                && state.leases.get(lease.name()).map(|held| held.fence) != Some(lease.fence())
            {
                return Err(StoreError::new(
                    StoreErrorKind::Fenced,
                    "the lease ran out and was given to somebody else",
                ));
            }
            if state.records.get(owner).map(|stored| stored.version) != replaces {
                return Err(StoreError::new(
                    StoreErrorKind::Conflict,
                    "another version of the record is stored",
                ));
            }
            let version = Version::new(state.next());
            let stored = Stored::new(record.clone(), version);
            state.records.insert(owner.clone(), stored);
            Ok(version)
        })
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        Ok(self.with(|state| state.records.remove(owner).is_some()))
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        let gone = self.with(|state| std::mem::take(&mut state.records));
        Ok(gone.len() as u64)
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        let now = self.clock.monotonic();
        Ok(self.with(|state| {
            let before = state.leases.get(name);
            if before.is_some_and(|held| held.until > now) {
                return None;
            }
            let abandoned = before.is_some();
            let fence = state.next();
            let until = now.saturating_add(ttl);
            state.leases.insert(name.to_owned(), Held { fence, until });
            Some(Lease::new(name, fence).with_abandoned(abandoned))
        }))
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let now = self.clock.monotonic();
        self.with(|state| match state.leases.get_mut(lease.name()) {
            Some(held) if held.fence != lease.fence() => {}
            Some(held) if lease.was_abandoned() => held.until = held.until.min(now),
            _ => drop(state.leases.remove(lease.name())),
        });
        Ok(())
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        Ok(self.with(|state| {
            let mut due: Vec<_> = state
                .records
                .iter()
                .filter_map(|(owner, stored)| Some((stored.record.refresh_at()?, owner)))
                .filter(|(at, _)| *at < before)
                .collect();
            due.sort_unstable();
            due.into_iter()
                .take(limit)
                .map(|(_, owner)| owner.clone())
                .collect()
        }))
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        Ok(self.with(|state| {
            let dead: Vec<_> = state
                .records
                .iter()
                .filter(|(_, stored)| stored.record.dead_at().is_some_and(|at| at < before))
                .map(|(owner, _)| owner.clone())
                .take(limit)
                .collect();
            for owner in &dead {
                state.records.remove(owner);
            }
            dead.len()
        }))
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        Ok(self.with(|state| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            state
                .records
                .range::<Owner, _>((from, Bound::Unbounded))
                .map(|(owner, _)| owner.clone())
                .take(limit)
                .collect()
        }))
    }
}
