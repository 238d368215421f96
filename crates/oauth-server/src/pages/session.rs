//! Login sessions: what stands behind the cookie of a person who signed in.

use std::{collections::HashMap, fmt, sync::Mutex, time::SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ContextError, Scope, TokenHash, guard::lock};

/// A stored login session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionRecord {
    /// The hash of what is in the cookie.
    pub hash: TokenHash,
    /// Who signed in.
    pub subject: String,
    /// The name they did it with, which they recognise.
    pub username: String,
    /// When.
    pub authenticated_at: SystemTime,
    /// The authorization request that they signed in for, if any: the hash of its query.
    #[serde(default)]
    pub login_for: Option<TokenHash>,
    /// When it ends.
    pub expires_at: SystemTime,
    /// What the person allowed each client in it.
    pub consents: HashMap<String, Scope>,
}

/// Login sessions.
#[async_trait]
pub trait Sessions: fmt::Debug + Send + Sync {
    /// Stores a new session, and may remove some that ended by `now`.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn insert(&self, record: SessionRecord, now: SystemTime) -> Result<(), ContextError>;

    /// The session with this hash, ended ones included.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn get(&self, hash: &TokenHash) -> Result<Option<SessionRecord>, ContextError>;

    /// Puts `record` in the place of the session with its hash; false if there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn replace(&self, record: SessionRecord) -> Result<bool, ContextError>;

    /// Removes a session.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn remove(&self, hash: &TokenHash) -> Result<(), ContextError>;

    /// Removes at most `limit` sessions that ended by `now`, and says how many they were.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        let _ = (now, limit);
        Ok(0)
    }
}

/// Login sessions in memory: the end of the process signs everybody out.
#[derive(Debug, Default)]
pub struct MemorySessions(Mutex<crate::memory::Expiring<TokenHash, SessionRecord>>);

impl MemorySessions {
    /// No sessions yet.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Sessions for MemorySessions {
    async fn insert(&self, record: SessionRecord, now: SystemTime) -> Result<(), ContextError> {
        let mut sessions = lock(&self.0);
        sessions.purge(now, crate::memory::BATCH);
        sessions.insert(record.hash, record.expires_at, record);
        Ok(())
    }

    async fn get(&self, hash: &TokenHash) -> Result<Option<SessionRecord>, ContextError> {
        Ok(lock(&self.0).get(hash).cloned())
    }

    async fn replace(&self, record: SessionRecord) -> Result<bool, ContextError> {
        let mut sessions = lock(&self.0);
        let stored = sessions.get_mut(&record.hash);
        Ok(stored.map(|stored| *stored = record).is_some())
    }

    async fn remove(&self, hash: &TokenHash) -> Result<(), ContextError> {
        lock(&self.0).remove(hash);
        Ok(())
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        Ok(lock(&self.0).purge(now, limit).len())
    }
}
