//! Authorization codes in memory.

use std::{sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::{BATCH, REMEMBERED, expiring::Expiring};
use crate::{
    AuthorizationCodeRecord, AuthorizationCodes, ContextError, GrantId, TokenHash, guard::lock,
};

/// Authorization codes in memory.
#[derive(Debug, Default)]
pub struct MemoryAuthorizationCodes(Mutex<Expiring<TokenHash, AuthorizationCodeRecord>>);

impl MemoryAuthorizationCodes {
    /// No codes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is stored.
    pub fn dump(&self) -> serde_json::Value {
        let codes = lock(&self.0);
        codes
            .iter()
            .map(|(_, record)| serde_json::json!(record))
            .collect()
    }
}

#[async_trait]
impl AuthorizationCodes for MemoryAuthorizationCodes {
    async fn insert(
        &self,
        record: AuthorizationCodeRecord,
        now: SystemTime,
    ) -> Result<(), ContextError> {
        let mut codes = lock(&self.0);
        codes.purge(now, BATCH);
        codes.insert(record.hash, record.expires_at + REMEMBERED, record);
        Ok(())
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<AuthorizationCodeRecord>, ContextError> {
        Ok(lock(&self.0).get(hash).cloned())
    }

    async fn consume(&self, hash: &TokenHash) -> Result<bool, ContextError> {
        let mut codes = lock(&self.0);
        let Some(record) = codes.get_mut(hash) else {
            return Ok(false);
        };
        if record.consumed {
            // It came back: no release brings it to life again.
            record.expires_at = SystemTime::UNIX_EPOCH;
        }
        Ok(!std::mem::replace(&mut record.consumed, true))
    }

    async fn release(&self, hash: &TokenHash) -> Result<(), ContextError> {
        if let Some(record) = lock(&self.0).get_mut(hash) {
            record.consumed = false;
        }
        Ok(())
    }

    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        let mut codes = lock(&self.0);
        let meant = codes
            .values_mut()
            .filter(|record| record.grant.is_of(client_id, subject));
        Ok(meant
            .map(|record| {
                record.expires_at = SystemTime::UNIX_EPOCH;
                record.grant.id
            })
            .collect())
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        Ok(lock(&self.0).purge(now, limit).len())
    }
}
