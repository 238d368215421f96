//! Pushed authorization requests in memory.

use std::{collections::HashMap, sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::{BATCH, expiring::Expiring};
use crate::{ContextError, PushedRequestRecord, PushedRequests, TokenHash, guard::lock};

/// A public client's requests are anybody's to push, so they must not take all memory.
pub(crate) const MAX_OF_CLIENT: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
struct Requests {
    records: Expiring<TokenHash, PushedRequestRecord>,
    /// How many bytes the records of each client hold.
    sizes: HashMap<String, usize>,
}

impl Requests {
    fn purge(&mut self, now: SystemTime, limit: usize) -> usize {
        let ended = self.records.purge(now, limit);
        for record in &ended {
            if let Some(left) = self.sizes.get_mut(&record.client_id) {
                *left = left.saturating_sub(size(record));
                if *left == 0 {
                    self.sizes.remove(&record.client_id);
                }
            }
        }
        ended.len()
    }
}

/// What a record takes, about.
pub(crate) fn size(record: &PushedRequestRecord) -> usize {
    let parameters = record.parameters.iter();
    let parameters = parameters.map(|(name, value)| name.len() + value.len() + 64);
    256 + parameters.sum::<usize>()
}

/// Pushed authorization requests in memory, at most 16 MiB of each client; beyond that, pushing
/// another is answered with 503 until some have ended.
#[derive(Debug, Default)]
pub struct MemoryPushedRequests(Mutex<Requests>);

impl MemoryPushedRequests {
    /// No requests yet.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl PushedRequests for MemoryPushedRequests {
    async fn insert(
        &self,
        record: PushedRequestRecord,
        now: SystemTime,
    ) -> Result<(), ContextError> {
        let mut requests = lock(&self.0);
        requests.purge(now, BATCH);
        let taken = requests.sizes.get(&record.client_id).copied();
        let taken = taken.unwrap_or_default() + size(&record);
        if taken > MAX_OF_CLIENT {
            return Err(ContextError::new("the client pushed too many requests"));
        }
        requests.sizes.insert(record.client_id.clone(), taken);
        requests
            .records
            .insert(record.hash, record.expires_at, record);
        Ok(())
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<PushedRequestRecord>, ContextError> {
        Ok(lock(&self.0).records.get(hash).cloned())
    }

    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError> {
        let mut requests = lock(&self.0);
        let record = requests.records.get_mut(hash);
        Ok(record.is_some_and(|record| !std::mem::replace(&mut record.consumed, true)))
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        Ok(lock(&self.0).purge(now, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_has_only_so_much() {
        let requests = MemoryPushedRequests::new();
        let now = SystemTime::UNIX_EPOCH;
        let record = |client_id: &str, index: u32| PushedRequestRecord {
            hash: TokenHash::of(&format!("{client_id} {index}")),
            client_id: client_id.into(),
            parameters: vec![("state".into(), "x".repeat(1024 * 1024))],
            expires_at: now,
            consumed: false,
        };
        for index in 0..15 {
            requests
                .insert(record("a", index), now - std::time::Duration::from_secs(1))
                .await
                .unwrap();
        }
        let before = now - std::time::Duration::from_secs(1);
        assert!(requests.insert(record("a", 15), before).await.is_err());
        requests.insert(record("b", 0), before).await.unwrap();
        requests.insert(record("a", 15), now).await.unwrap();
        assert_eq!(requests.purge(now, 100).await.unwrap(), 1);
        assert!(lock(&requests.0).sizes.is_empty());
    }
}
