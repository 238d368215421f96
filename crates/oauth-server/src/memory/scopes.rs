//! The scopes that exist, in memory.

use std::sync::Mutex;

use async_trait::async_trait;

use crate::{ContextError, ScopeRecord, Scopes, guard::lock};

/// The scopes that exist, in memory.
#[derive(Debug, Default)]
pub struct MemoryScopes(Mutex<Vec<ScopeRecord>>);

impl MemoryScopes {
    /// No scopes: nothing but the empty scope can be asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scope, or replaces the one with its name.
    pub fn insert(&self, scope: ScopeRecord) {
        let mut scopes = lock(&self.0);
        scopes.retain(|known| known.name != scope.name);
        scopes.push(scope);
    }
}

impl FromIterator<ScopeRecord> for MemoryScopes {
    fn from_iter<I: IntoIterator<Item = ScopeRecord>>(scopes: I) -> Self {
        Self(Mutex::new(scopes.into_iter().collect()))
    }
}

#[async_trait]
impl Scopes for MemoryScopes {
    async fn all(&self) -> Result<Vec<ScopeRecord>, ContextError> {
        Ok(lock(&self.0).clone())
    }
}
