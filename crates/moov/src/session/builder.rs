//! Putting a session together.

use std::sync::Arc;

use oauth_core::{
    TokenManager,
    manager::{RefreshPolicy, TokenManagerBuilder},
    store::TokenStore,
};

use super::{KeyPair, Session};
use crate::Client;

/// Puts a [`Session`] together.
#[derive(Debug)]
#[must_use = "nothing is made before it is built"]
pub struct SessionBuilder {
    client: Client,
    tokens: TokenManagerBuilder,
}

impl SessionBuilder {
    pub(super) fn new(client: Client) -> Self {
        let tokens = TokenManager::builder(client.core().clone())
            .source(KeyPair)
            .revoke_on_delete(true);
        Self { client, tokens }
    }

    /// Where tokens are kept beyond this process's memory. Without a store they end with it.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.tokens = self.tokens.store(store);
        self
    }

    /// As [`SessionBuilder::store`], for a store that is shared.
    pub fn shared_store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.tokens = self.tokens.shared_store(store);
        self
    }

    /// When tokens are renewed, otherwise as [`RefreshPolicy::default`] says.
    pub fn policy(mut self, policy: RefreshPolicy) -> Self {
        self.tokens = self.tokens.policy(policy);
        self
    }

    /// Also renews tokens that nobody asks for.
    pub fn background_refresh(mut self, on: bool) -> Self {
        self.tokens = self.tokens.background_refresh(on);
        self
    }

    /// The session. Nothing is sent, read or spawned before it is used.
    #[must_use]
    pub fn build(self) -> Session {
        Session {
            client: self.client,
            tokens: self.tokens.build(),
        }
    }
}
