//! Putting a session together.

use std::{sync::Arc, time::Duration};

use oauth_core::{
    TokenManager,
    manager::{RefreshPolicy, TokenManagerBuilder},
    store::TokenStore,
};

use super::{Inner, Session, validations::Validations};
use crate::Client;

/// Puts a [`Session`] together.
///
/// ```
/// # fn build(client: twitch::Client) {
/// use twitch::{Session, oauth_core::store::MemoryStore};
///
/// let session = Session::builder(client)
///     .store(MemoryStore::new()) // one that outlives the process, in earnest
///     .validate_in_background(true)
///     .build();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is made before it is built"]
pub struct SessionBuilder {
    client: Client,
    tokens: TokenManagerBuilder,
    in_background: bool,
}

impl SessionBuilder {
    pub(super) fn new(client: Client) -> Self {
        // Nothing is refreshed while it is still handed out.
        let policy = RefreshPolicy::default().with_advisory(Duration::ZERO);
        Self {
            tokens: TokenManager::builder(client.core().clone()).policy(policy),
            client,
            in_background: false,
        }
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

    /// When tokens are refreshed, otherwise a minute before their end.
    pub fn policy(mut self, policy: RefreshPolicy) -> Self {
        self.tokens = self.tokens.policy(policy);
        self
    }

    /// Also validates, every hour, the tokens of which somebody has a handle and that nobody
    /// uses. The task starts with the first handle and ends with the session.
    pub fn validate_in_background(mut self, on: bool) -> Self {
        self.in_background = on;
        self
    }

    /// The session. Nothing is sent, read or spawned before it is used.
    #[must_use]
    pub fn build(self) -> Session {
        Session(Arc::new(Inner {
            client: self.client,
            tokens: self.tokens.build(),
            validations: Validations::new(self.in_background),
        }))
    }
}
