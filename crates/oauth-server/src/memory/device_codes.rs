//! Device codes in memory.

use std::{collections::HashMap, sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::{BATCH, REMEMBERED, expiring::Expiring};
use crate::{ContextError, DeviceCodeRecord, DeviceCodes, GrantId, TokenHash, guard::lock};

/// A public client's codes are anybody's to ask for, so they must not take all memory. One source
/// is let have a part of them only; many together could use them up.
pub(crate) const MAX_OF_CLIENT: usize = 10_000;

#[derive(Debug, Default)]
struct Codes {
    records: Expiring<TokenHash, DeviceCodeRecord>,
    /// User code to device code.
    user_codes: Expiring<TokenHash, TokenHash>,
    /// How many records each client has.
    counts: HashMap<String, usize>,
}

impl Codes {
    fn purge(&mut self, now: SystemTime, limit: usize) -> usize {
        self.user_codes.purge(now, limit);
        let ended = self.records.purge(now, limit);
        for ended in &ended {
            if let Some(count) = self.counts.get_mut(ended.client_id()) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(ended.client_id());
                }
            }
        }
        ended.len()
    }
}

/// Device codes in memory, at most 10 000 of each client; beyond that, starting another is
/// answered with 503 until some have ended.
#[derive(Debug, Default)]
pub struct MemoryDeviceCodes(Mutex<Codes>);

impl MemoryDeviceCodes {
    /// No codes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is stored.
    pub fn dump(&self) -> serde_json::Value {
        let codes = lock(&self.0);
        let records = codes.records.iter();
        records
            .map(|(_, record)| serde_json::json!(record))
            .collect()
    }
}

#[async_trait]
impl DeviceCodes for MemoryDeviceCodes {
    async fn insert(
        &self,
        record: DeviceCodeRecord,
        now: SystemTime,
    ) -> Result<bool, ContextError> {
        let mut codes = lock(&self.0);
        codes.purge(now, BATCH);
        if codes.user_codes.get(&record.user_code_hash).is_some() {
            return Ok(false);
        }
        let count = codes
            .counts
            .entry(record.client_id().to_owned())
            .or_default();
        if *count >= MAX_OF_CLIENT {
            return Err(ContextError::new("the client has too many device codes"));
        }
        *count += 1;
        let end = record.expires_at + REMEMBERED;
        codes
            .user_codes
            .insert(record.user_code_hash, end, record.hash);
        codes.records.insert(record.hash, end, record);
        Ok(true)
    }

    async fn find(&self, user_code: &TokenHash) -> Result<Option<DeviceCodeRecord>, ContextError> {
        let codes = lock(&self.0);
        let hash = codes.user_codes.get(user_code);
        Ok(hash.and_then(|hash| codes.records.get(hash)).cloned())
    }

    async fn update(
        &self,
        device_code: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut DeviceCodeRecord) + Send),
    ) -> Result<bool, ContextError> {
        let mut codes = lock(&self.0);
        let Some(record) = codes.records.get_mut(device_code) else {
            return Ok(false);
        };
        change(record);
        Ok(true)
    }

    async fn revoke(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<Vec<GrantId>, ContextError> {
        let mut codes = lock(&self.0);
        let records = codes.records.values_mut();
        Ok(records
            .filter(|record| record.grant.is_of(client_id, subject))
            .map(|record| {
                record.revoke();
                record.grant.id
            })
            .collect())
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        Ok(lock(&self.0).purge(now, limit))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{DeviceStatus, GrantId, GrantRecord, Scope};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn record(client: &str, index: usize) -> DeviceCodeRecord {
        DeviceCodeRecord {
            hash: TokenHash::of(&format!("{client} {index}")),
            user_code_hash: TokenHash::of(&format!("user {client} {index}")),
            grant: GrantRecord {
                id: GrantId([7; 18]),
                client_id: client.into(),
                subject: None,
                scope: Scope::default(),
                audience: Vec::new(),
                auth_time: None,
            },
            status: DeviceStatus::Pending,
            interval: Duration::from_secs(5),
            polled_at: None,
            expires_at: NOW,
        }
    }

    #[tokio::test]
    async fn a_client_has_only_so_many() {
        let codes = MemoryDeviceCodes::new();
        for index in 0..MAX_OF_CLIENT {
            assert!(codes.insert(record("a", index), NOW).await.unwrap());
        }
        assert!(codes.insert(record("a", MAX_OF_CLIENT), NOW).await.is_err());
        assert!(codes.insert(record("b", 0), NOW).await.unwrap());

        let later = NOW + REMEMBERED;
        assert!(
            codes
                .insert(record("a", MAX_OF_CLIENT), later)
                .await
                .unwrap()
        );
        for _ in 0..=MAX_OF_CLIENT / BATCH {
            lock(&codes.0).purge(later, BATCH);
        }
        let codes = lock(&codes.0);
        assert_eq!(codes.records.iter().count(), 0);
        assert!(codes.counts.is_empty());
    }
}
