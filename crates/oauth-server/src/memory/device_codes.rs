//! Device codes in memory.

use std::{sync::Mutex, time::SystemTime};

use async_trait::async_trait;

use super::{BATCH, REMEMBERED, expiring::Expiring};
use crate::{ContextError, DeviceCodeRecord, DeviceCodes, TokenHash, guard::lock};

#[derive(Debug, Default)]
struct Codes {
    records: Expiring<TokenHash, DeviceCodeRecord>,
    /// User code to device code.
    user_codes: Expiring<TokenHash, TokenHash>,
}

/// Device codes in memory.
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
        codes.records.purge(now, BATCH);
        codes.user_codes.purge(now, BATCH);
        if codes.user_codes.get(&record.user_code_hash).is_some() {
            return Ok(false);
        }
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
}
