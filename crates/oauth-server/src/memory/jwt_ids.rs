//! The ids of used JWTs in memory.

use std::{sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::{BATCH, expiring::Expiring};
use crate::{ContextError, JwtIds, TokenHash, guard::lock};

/// As many as 80 a second for ten minutes and more; beyond that somebody fills the memory.
const MAX: usize = 100_000;

/// The ids of used JWTs in memory, at most 100 000; beyond that, requests with another one are
/// answered with 503 until some have ended.
#[derive(Debug, Default)]
pub struct MemoryJwtIds(Mutex<Expiring<TokenHash, ()>>);

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
        id: &TokenHash,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<bool, ContextError> {
        let mut ids = lock(&self.0);
        ids.purge(now, BATCH);
        if ids.get(id).is_some() {
            return Ok(false);
        }
        if ids.len() >= MAX {
            return Err(ContextError::new("too many JWTs are in use"));
        }
        ids.insert(*id, until, ());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn memory_is_bounded_and_freed() {
        let ids = MemoryJwtIds::new();
        let now = SystemTime::UNIX_EPOCH;
        let end = now + Duration::from_secs(60);
        let consume = async |index: usize, now| {
            let id = TokenHash::of(&index.to_string());
            ids.consume(&id, end, now).await
        };
        for index in 0..MAX {
            assert!(consume(index, now).await.unwrap());
        }
        assert!(!consume(0, now).await.unwrap());
        assert!(consume(MAX, now).await.is_err());
        assert!(consume(MAX, end).await.unwrap(), "some have ended");
        for _ in 0..MAX / BATCH {
            assert!(!consume(MAX, end).await.unwrap());
            lock(&ids.0).insert(
                TokenHash::of(&MAX.to_string()),
                end + Duration::from_secs(60),
                (),
            );
        }
        assert!(lock(&ids.0).len() <= BATCH);
    }
}
