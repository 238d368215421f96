//! A store that fails, lets others wait and writes down what it is asked, as a case wants it.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::store::{
    Lease, MemoryStore, Owner, Record, StoreError, StoreErrorKind, Stored, TokenStore, Version,
};
use tokio::sync::watch;

use super::setting::PATIENCE;
use crate::{Failure, Outcome};

/// A method of a store that a case can bend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Op {
    Load,
    Save,
    Remove,
    Clear,
    Lease,
    Release,
    Other,
}

/// Before a method did anything, or after it did everything but return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Before,
    After,
}

/// A memory store with faults. Clones are the same store; one made [over](FaultyStore::over) the
/// same memory is how another process sees it.
#[derive(Debug, Clone)]
pub(super) struct FaultyStore {
    memory: MemoryStore,
    state: Arc<Mutex<State>>,
    barrier: Arc<watch::Sender<Option<(Side, Op)>>>,
    standing: Arc<watch::Sender<usize>>,
}

#[derive(Debug, Default)]
struct State {
    failing: HashSet<Op>,
    asked: Vec<Op>,
    /// Whether every method lets others run before and after.
    yields: bool,
}

impl FaultyStore {
    pub(super) fn over(memory: MemoryStore) -> Self {
        Self {
            memory,
            state: Arc::default(),
            barrier: Arc::default(),
            standing: Arc::default(),
        }
    }

    /// What is stored, without faults.
    pub(super) fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    /// From now on `ops` fail, and no others.
    pub(super) fn fail(&self, ops: &[Op]) {
        self.lock().failing = ops.iter().copied().collect();
    }

    /// From now on whoever calls `op` stands there.
    pub(super) fn pause(&self, side: Side, op: Op) {
        self.barrier.send_replace(Some((side, op)));
    }

    pub(super) fn resume(&self) {
        self.barrier.send_replace(None);
    }

    /// Waits until `count` have stood somewhere.
    pub(super) async fn stood(&self, count: usize) -> Outcome {
        let mut standing = self.standing.subscribe();
        let waited = standing.wait_for(|have| *have >= count);
        match tokio::time::timeout(PATIENCE, waited).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Failure::new(
                "expected a call of the store, none came within 30 s",
            )),
        }
    }

    pub(super) fn yields(&self) {
        self.lock().yields = true;
    }

    /// What was asked, in order.
    pub(super) fn asked(&self) -> Vec<Op> {
        self.lock().asked.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn around<T>(
        &self,
        op: Op,
        act: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let (fails, yields) = {
            let mut state = self.lock();
            state.asked.push(op);
            (state.failing.contains(&op), state.yields)
        };
        if yields {
            tokio::task::yield_now().await;
        }
        self.stand(Side::Before, op).await;
        if fails {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "the suite's store is down",
            ));
        }
        let result = act.await;
        self.stand(Side::After, op).await;
        if yields {
            tokio::task::yield_now().await;
        }
        result
    }

    async fn stand(&self, side: Side, op: Op) {
        let here = Some((side, op));
        if *self.barrier.borrow() == here {
            self.standing.send_modify(|count| *count += 1);
            let mut barrier = self.barrier.subscribe();
            // The sender is held here: it cannot be gone.
            let _ = barrier.wait_for(|barrier| *barrier != here).await;
        }
    }
}

#[async_trait]
impl TokenStore for FaultyStore {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        self.around(Op::Load, self.memory.load(owner)).await
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        self.around(Op::Save, self.memory.save(owner, record, replaces, lease))
            .await
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        self.around(Op::Remove, self.memory.remove(owner)).await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.around(Op::Clear, self.memory.clear()).await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.around(Op::Lease, self.memory.lease(name, ttl)).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.around(Op::Release, self.memory.release(lease)).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.around(Op::Other, self.memory.due(before, limit)).await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        self.around(Op::Other, self.memory.purge(before, limit))
            .await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.around(Op::Other, self.memory.owners(after, limit))
            .await
    }
}
