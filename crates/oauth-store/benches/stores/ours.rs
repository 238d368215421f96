//! A token store as one of those that are measured.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use oauth_core::{
    AccessToken, RefreshToken, TokenSet,
    store::{Owner, Record, Subject as User, TokenRequest, TokenStore, Version},
};

use super::{OWNERS, Subject};

pub(super) struct Ours {
    store: Arc<dyn TokenStore>,
    owners: Vec<Owner>,
    versions: Vec<AtomicU64>,
    record: Record,
}

impl Ours {
    /// Over owners from the number `first` on.
    pub(super) async fn new(store: Arc<dyn TokenStore>, first: usize) -> Self {
        let versions = fill(&*store, first).await;
        Self {
            store,
            owners: (first..first + OWNERS).map(owner).collect(),
            versions,
            record: record(3600),
        }
    }
}

/// Gives every owner from `first` a record; their versions.
pub(super) async fn fill(store: &dyn TokenStore, first: usize) -> Vec<AtomicU64> {
    let record = record(3600);
    let mut versions = Vec::new();
    for id in 0..OWNERS {
        let owner = owner(first + id);
        let version = store.save(&owner, &record, None, None).await.unwrap();
        versions.push(AtomicU64::new(version.get()));
    }
    versions
}

#[async_trait]
impl Subject for Ours {
    async fn load(&self, id: usize) {
        let stored = self.store.load(&self.owners[id]).await.unwrap();
        assert!(stored.is_some());
    }

    async fn save(&self, id: usize) {
        let version = Version::new(self.versions[id].load(Ordering::Relaxed));
        let owner = &self.owners[id];
        let saved = self.store.save(owner, &self.record, Some(version), None);
        let version = saved.await.unwrap().get();
        self.versions[id].store(version, Ordering::Relaxed);
    }
}

pub(super) fn owner(id: usize) -> Owner {
    Owner::new(
        "https://id.example.com",
        "client",
        User::user(format!("user-{id:07}")),
    )
}

/// Tokens as long as Twitch's, due `ends` seconds from now.
pub(super) fn record(ends: u64) -> Record {
    let refresh = RefreshToken::new("0123456789abcdefghijklmnopqrst0123456789abcdefghij").unwrap();
    let token = access_token(ends).with_refresh_token(Some(refresh));
    Record::new().with(TokenRequest::any(), token)
}

/// One that is dead `ends` seconds from now.
pub(super) fn mortal(ends: u64) -> Record {
    Record::new().with(TokenRequest::any(), access_token(ends))
}

fn access_token(ends: u64) -> TokenSet {
    let now = SystemTime::now();
    TokenSet::new(
        AccessToken::new("0123456789abcdefghijklmnopqrst").unwrap(),
        now,
    )
    .with_expires_at(Some(now + Duration::from_secs(ends)))
}
