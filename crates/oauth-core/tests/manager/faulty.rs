//! A store that fails, holds up and loses answers as a test wishes.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::store::{
    Lease, MemoryStore, Owner, Record, StoreError, StoreErrorKind, Stored, TokenStore, Version,
};
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    pub(crate) inner: MemoryStore,
    state: Arc<Mutex<State>>,
    moved: Arc<watch::Sender<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// Which calls fail, and how.
    failing: HashMap<&'static str, StoreErrorKind>,
    held: HashSet<&'static str>,
    /// Saves act, and then say that they failed.
    lose: bool,
    /// The next lease is one that a process died with.
    abandoned: bool,
    calls: Vec<&'static str>,
}

const ALL: [&str; 9] = [
    "load", "save", "remove", "clear", "lease", "release", "due", "purge", "owners",
];

impl Faulty {
    pub(crate) fn over(inner: MemoryStore) -> Self {
        Self {
            inner,
            state: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// Every call fails.
    pub(crate) fn down(&self) {
        for call in ALL {
            self.fail(call, StoreErrorKind::Unavailable);
        }
    }

    /// None fails, and none is held up.
    pub(crate) fn up(&self) {
        self.with(|state| {
            state.failing.clear();
            state.held.clear();
            state.lose = false;
        });
    }

    pub(crate) fn fail(&self, call: &'static str, kind: StoreErrorKind) {
        self.with(|state| state.failing.insert(call, kind));
    }

    /// The next lease is one that a process died with.
    pub(crate) fn abandon(&self) {
        self.with(|state| state.abandoned = true);
    }

    pub(crate) fn lose_answers(&self) {
        self.with(|state| state.lose = true);
    }

    /// Calls of this kind wait until [`Faulty::up`].
    pub(crate) fn hold(&self, call: &'static str) {
        self.with(|state| state.held.insert(call));
    }

    pub(crate) fn count(&self, call: &str) -> usize {
        self.with(|state| state.calls.iter().filter(|have| **have == call).count())
    }

    /// Calls of this kind wait no longer.
    pub(crate) fn let_go(&self, call: &str) {
        self.with(|state| state.held.remove(call));
    }

    /// Waits until `count` calls of this kind have come.
    pub(crate) async fn until(&self, call: &str, count: usize) {
        while self.count(call) < count {
            tokio::task::yield_now().await;
        }
    }

    /// The refresh token that is stored.
    pub(crate) async fn refresh_token(&self, owner: &Owner) -> Option<String> {
        use oauth_core::Token;
        let stored = self.inner.load(owner).await.unwrap()?;
        let mut tokens = stored.record.tokens().iter();
        tokens
            .find_map(|have| have.token.refresh_token())
            .map(|token| token.expose_secret().to_owned())
    }

    async fn call(&self, call: &'static str) -> Result<(), StoreError> {
        self.with(|state| state.calls.push(call));
        let mut moved = self.moved.subscribe();
        while self.state.lock().unwrap().held.contains(call) {
            moved.changed().await.unwrap();
        }
        let failing = self.state.lock().unwrap().failing.get(call).copied();
        failing.map_or(Ok(()), |kind| {
            Err(StoreError::new(kind, "as the test says"))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let done = act(&mut self.state.lock().unwrap());
        self.moved.send_replace(());
        done
    }
}

#[async_trait]
impl TokenStore for Faulty {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        self.call("load").await?;
        self.inner.load(owner).await
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        self.call("save").await?;
        let version = self.inner.save(owner, record, replaces, lease).await?;
        match self.state.lock().unwrap().lose {
            true => Err(StoreError::new(StoreErrorKind::Unavailable, "no answer")),
            false => Ok(version),
        }
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        self.call("remove").await?;
        self.inner.remove(owner).await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.call("clear").await?;
        self.inner.clear().await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.call("lease").await?;
        let lease = self.inner.lease(name, ttl).await?;
        Ok(lease.map(|lease| {
            let abandoned = self.with(|state| std::mem::take(&mut state.abandoned));
            let abandoned = abandoned || lease.was_abandoned();
            lease.with_abandoned(abandoned)
        }))
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.call("release").await?;
        self.inner.release(lease).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.call("due").await?;
        self.inner.due(before, limit).await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        self.call("purge").await?;
        self.inner.purge(before, limit).await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.call("owners").await?;
        self.inner.owners(after, limit).await
    }
}
