//! Login sessions: what stands behind the cookie of a person who signed in.

use std::{fmt, sync::Mutex, time::SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{AuthorizationRequest, ContextError, Scope, TokenHash, guard::lock};

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
    /// What the person allowed in it.
    pub consents: Vec<ConsentRecord>,
}

/// What a person allowed a client, to be remembered while they are signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConsentRecord {
    /// The client.
    pub client_id: String,
    /// The resources it may be used at (RFC 8707), sorted; none means everywhere. What was allowed
    /// for these says nothing about others.
    pub resources: Vec<String>,
    /// What it may do there.
    pub scope: Scope,
}

impl ConsentRecord {
    fn is_for(&self, authorization: &AuthorizationRequest) -> bool {
        self.client_id == authorization.client().id() && self.resources == authorization.resources()
    }
}

impl SessionRecord {
    /// Whether the person allowed all of this before.
    pub(super) fn remembers(&self, authorization: &AuthorizationRequest) -> bool {
        let known = self.consents.iter().find(|it| it.is_for(authorization));
        known.is_some_and(|known| authorization.scope().is_subset(&known.scope))
    }

    pub(super) fn remember(&mut self, authorization: &AuthorizationRequest) {
        let asked = authorization.scope();
        match self.consents.iter_mut().find(|it| it.is_for(authorization)) {
            Some(known) => known.scope = Scope::of(known.scope.iter().chain(asked.iter())),
            None => self.consents.push(ConsentRecord {
                client_id: authorization.client().id().to_owned(),
                resources: authorization.resources().to_vec(),
                scope: asked.clone(),
            }),
        }
    }
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

    /// Runs `change` on the session with this hash and stores the outcome, with nobody else in
    /// between; false if there is none any more. A store that retries a transaction may run `change`
    /// more than once, on a fresh record each time.
    ///
    /// # Errors
    ///
    /// When the store cannot answer.
    async fn update(
        &self,
        hash: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut SessionRecord) + Send),
    ) -> Result<bool, ContextError>;

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

    async fn update(
        &self,
        hash: &TokenHash,
        change: &mut (dyn for<'r> FnMut(&'r mut SessionRecord) + Send),
    ) -> Result<bool, ContextError> {
        Ok(lock(&self.0).get_mut(hash).map(change).is_some())
    }

    async fn remove(&self, hash: &TokenHash) -> Result<(), ContextError> {
        lock(&self.0).remove(hash);
        Ok(())
    }

    async fn purge(&self, now: SystemTime, limit: usize) -> Result<usize, ContextError> {
        Ok(lock(&self.0).purge(now, limit).len())
    }
}
