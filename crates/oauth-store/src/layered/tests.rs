use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use oauth_core::{
    AccessToken, TokenSet,
    store::{MemoryStore, Subject, TokenRequest, suite},
};

use super::*;

/// A store in memory that can be switched off.
#[derive(Debug, Clone, Default)]
struct Switched {
    store: MemoryStore,
    down: Arc<AtomicBool>,
}

impl Switched {
    fn up(&self) -> Result<&MemoryStore, StoreError> {
        match self.down.load(Ordering::SeqCst) {
            false => Ok(&self.store),
            true => Err(StoreError::new(StoreErrorKind::Unavailable, "switched off")),
        }
    }
}

#[async_trait]
impl TokenStore for Switched {
    async fn load(&self, owner: &Owner) -> Result<Option<Stored>, StoreError> {
        self.up()?.load(owner).await
    }

    async fn save(
        &self,
        owner: &Owner,
        record: &Record,
        replaces: Option<Version>,
        lease: Option<&Lease>,
    ) -> Result<Version, StoreError> {
        self.up()?.save(owner, record, replaces, lease).await
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, StoreError> {
        self.up()?.remove(owner).await
    }

    async fn clear(&self) -> Result<u64, StoreError> {
        self.up()?.clear().await
    }

    async fn lease(&self, name: &str, ttl: Duration) -> Result<Option<Lease>, StoreError> {
        self.up()?.lease(name, ttl).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.up()?.release(lease).await
    }

    async fn due(&self, before: SystemTime, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.up()?.due(before, limit).await
    }

    async fn purge(&self, before: SystemTime, limit: usize) -> Result<usize, StoreError> {
        self.up()?.purge(before, limit).await
    }

    async fn owners(&self, after: Option<&Owner>, limit: usize) -> Result<Vec<Owner>, StoreError> {
        self.up()?.owners(after, limit).await
    }
}

fn owner(id: &str) -> Owner {
    Owner::new("https://id.example.com", "client", Subject::user(id))
}

fn record(access: &str) -> Record {
    let token = TokenSet::new(AccessToken::new(access).unwrap(), SystemTime::UNIX_EPOCH);
    Record::new().with(TokenRequest::any(), token)
}

fn layered(capacity: usize) -> (Layered<Switched>, Switched) {
    let durable = Switched::default();
    (Layered::new(durable.clone(), capacity), durable)
}

#[derive(Debug)]
struct Harness;

#[async_trait]
impl suite::Harness for Harness {
    async fn store(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        Ok(Arc::new(Layered::new(MemoryStore::new(), 100)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_a_store_like_any_other() {
    suite::run(Arc::new(Harness)).await;
}

#[tokio::test]
async fn what_was_seen_is_there_while_the_store_is_down() {
    let (store, durable) = layered(10);
    let version = store.save(&owner("a"), &record("a"), None, None).await;
    let version = version.unwrap();
    durable.down.store(true, Ordering::SeqCst);
    let stored = store.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!((stored.record, stored.version), (record("a"), version));
    let error = store.load(&owner("never seen")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    // A save is not kept in memory alone, and takes away what it would have replaced.
    let saved = store
        .save(&owner("a"), &record("b"), Some(version), None)
        .await;
    assert!(saved.is_err());
    assert!(store.load(&owner("a")).await.is_err());
    durable.down.store(false, Ordering::SeqCst);
    let stored = store.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!(stored.record, record("a"));
}

#[tokio::test]
async fn another_process_is_seen_at_once() {
    let (store, durable) = layered(10);
    let version = store.save(&owner("a"), &record("a"), None, None).await;
    let newer = durable
        .save(&owner("a"), &record("b"), version.ok(), None)
        .await;
    let newer = newer.unwrap();
    let stored = store.load(&owner("a")).await.unwrap().unwrap();
    assert_eq!((stored.record, stored.version), (record("b"), newer));
    durable.remove(&owner("a")).await.unwrap();
    assert!(store.load(&owner("a")).await.unwrap().is_none());
    durable.down.store(true, Ordering::SeqCst);
    assert!(store.load(&owner("a")).await.is_err(), "removed, and back");
}

#[tokio::test]
async fn what_is_removed_is_not_remembered() {
    let (store, durable) = layered(10);
    for id in ["a", "b"] {
        store
            .save(&owner(id), &record(id), None, None)
            .await
            .unwrap();
    }
    durable.down.store(true, Ordering::SeqCst);
    assert!(store.remove(&owner("a")).await.is_err());
    assert!(store.load(&owner("a")).await.is_err());
    assert!(store.load(&owner("b")).await.is_ok());
    assert!(store.clear().await.is_err());
    assert!(store.load(&owner("b")).await.is_err());
}

#[tokio::test]
async fn memory_is_bounded_and_what_is_used_stays() {
    let (store, durable) = layered(100);
    for id in 0..1000 {
        let id = id.to_string();
        store
            .save(&owner(&id), &record(&id), None, None)
            .await
            .unwrap();
        store.load(&owner("0")).await.unwrap().unwrap();
        let remembered = store.memory(|memory| memory.records.len());
        assert!(remembered <= 100, "{remembered} records");
    }
    durable.down.store(true, Ordering::SeqCst);
    assert!(store.load(&owner("0")).await.is_ok());
    assert!(store.load(&owner("999")).await.is_ok());
    assert!(store.load(&owner("1")).await.is_err());

    let (none, durable) = layered(0);
    none.save(&owner("a"), &record("a"), None, None)
        .await
        .unwrap();
    durable.down.store(true, Ordering::SeqCst);
    assert!(none.load(&owner("a")).await.is_err());
}
