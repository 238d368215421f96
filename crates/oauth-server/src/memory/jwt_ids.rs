//! The ids of used JWTs in memory.

use std::{collections::HashMap, sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::{BATCH, expiring::Expiring};
use crate::{ContextError, JwtIds, TokenHash, guard::lock};

/// As many as 80 a second for ten minutes and more; beyond that somebody fills the memory.
pub(crate) const MAX_OF_CLIENT: usize = 100_000;

#[derive(Debug, Default)]
struct Ids {
    /// Each with the client that used it.
    used: Expiring<TokenHash, String>,
    /// How many are of each client.
    counts: HashMap<String, usize>,
}

/// The ids of used JWTs in memory, at most 100 000 of one client. Beyond that, its requests with
/// another one are answered with 503 until some have ended; those of other clients are not.
#[derive(Debug, Default)]
pub struct MemoryJwtIds(Mutex<Ids>);

impl MemoryJwtIds {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl JwtIds for MemoryJwtIds {
    async fn consume(
        &self,
        client_id: &str,
        id: &TokenHash,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<bool, ContextError> {
        let mut ids = lock(&self.0);
        ids.purge(now, BATCH);
        if ids.used.get(id).is_some() {
            return Ok(false);
        }
        let count = ids.counts.entry(client_id.to_owned()).or_default();
        if *count >= MAX_OF_CLIENT {
            return Err(ContextError::new("too many JWTs of one client are in use"));
        }
        *count += 1;
        ids.used.insert(*id, until, client_id.to_owned());
        Ok(true)
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        Ok(lock(&self.0).purge(now, limit))
    }
}

impl Ids {
    fn purge(&mut self, now: SystemTime, limit: usize) -> usize {
        let ended = self.used.purge(now, limit);
        for client in &ended {
            if let Some(count) = self.counts.get_mut(client) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(client);
                }
            }
        }
        ended.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn memory_is_bounded_for_each_client_and_freed() {
        let ids = MemoryJwtIds::new();
        let now = SystemTime::UNIX_EPOCH;
        let end = now + Duration::from_secs(60);
        let consume = async |client: &str, index: usize, now| {
            let id = TokenHash::of(&index.to_string());
            ids.consume(client, &id, end, now).await
        };
        for index in 0..MAX_OF_CLIENT {
            assert!(consume("flood", index, now).await.unwrap());
        }
        assert!(!consume("flood", 0, now).await.unwrap());
        assert!(consume("flood", MAX_OF_CLIENT, now).await.is_err());
        assert!(consume("other", MAX_OF_CLIENT, now).await.unwrap());
        assert!(
            consume("flood", MAX_OF_CLIENT + 1, end).await.unwrap(),
            "freed"
        );
        while ids.purge(end, 10_000).await.unwrap() > 0 {}
        let ids = lock(&ids.0);
        assert_eq!(ids.used.iter().count(), 0);
        assert!(ids.counts.is_empty());
    }
}
