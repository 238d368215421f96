//! People and their passwords in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Mutex,
};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::{
    BuildError, ContextError, ResourceOwners, Scope, SecretCost, SecretHash, Verifier, guard::lock,
};

#[derive(Default)]
struct Owners {
    /// User name to subject and hash.
    passwords: BTreeMap<String, (String, SecretHash)>,
    /// Subjects whose grants have ended.
    removed: BTreeSet<String>,
    /// What is told about a subject.
    claims: BTreeMap<String, Map<String, Value>>,
}

/// People and their passwords in memory, the passwords hashed with argon2id.
///
/// People who never had a password here (the application knows them by other means) count as
/// active.
pub struct MemoryResourceOwners {
    cost: SecretCost,
    verifier: Verifier,
    owners: Mutex<Owners>,
}

impl MemoryResourceOwners {
    /// Nobody yet; passwords will be hashed at this cost.
    ///
    /// # Errors
    ///
    /// When there is no randomness.
    pub fn new(cost: SecretCost) -> Result<Self, BuildError> {
        Ok(Self {
            cost,
            verifier: Verifier::new(cost)?,
            owners: Mutex::default(),
        })
    }

    /// Adds a person, or replaces the one with this user name.
    ///
    /// # Errors
    ///
    /// When the password is empty or longer than 512 bytes.
    pub fn insert(
        &self,
        username: impl Into<String>,
        subject: impl Into<String>,
        password: &str,
    ) -> Result<(), BuildError> {
        let hash = SecretHash::chosen(password, self.cost)?;
        let subject = subject.into();
        let mut owners = lock(&self.owners);
        owners.removed.remove(&subject);
        owners.passwords.insert(username.into(), (subject, hash));
        Ok(())
    }

    /// What the userinfo endpoint tells about a subject, as far as the scope goes.
    pub fn set_claims(&self, subject: impl Into<String>, claims: Map<String, Value>) {
        lock(&self.owners).claims.insert(subject.into(), claims);
    }

    /// Removes a person and what is told about them; their grants cannot be refreshed any more.
    pub fn remove(&self, username: &str) -> bool {
        let mut owners = lock(&self.owners);
        let removed = owners.passwords.remove(username);
        removed.is_some_and(|(subject, _)| {
            owners.claims.remove(&subject);
            owners.removed.insert(subject)
        })
    }

    /// What is stored.
    pub fn dump(&self) -> serde_json::Value {
        let owners = lock(&self.owners);
        let hashes = owners
            .passwords
            .iter()
            .map(|(name, (_, hash))| (name, hash.to_string()));
        hashes
            .map(|(name, hash)| serde_json::json!({ "username": name, "password": hash }))
            .collect()
    }
}

impl fmt::Debug for MemoryResourceOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryResourceOwners")
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ResourceOwners for MemoryResourceOwners {
    async fn authenticate(
        &self,
        username: &str,
        password: &SecretString,
    ) -> Result<Option<String>, ContextError> {
        let owner = lock(&self.owners).passwords.get(username).cloned();
        let (subject, hash) = owner.unzip();
        let fits = self.verifier.verify_password(password, hash.as_ref());
        let fits = fits.await?;
        Ok(subject.filter(|_| fits))
    }

    async fn is_active(&self, subject: &str) -> Result<bool, ContextError> {
        Ok(!lock(&self.owners).removed.contains(subject))
    }

    async fn claims(&self, subject: &str, _: &Scope) -> Result<Map<String, Value>, ContextError> {
        let claims = lock(&self.owners).claims.get(subject).cloned();
        Ok(claims.unwrap_or_default())
    }
}
