//! How a manager is made.

use std::sync::Arc;

use super::{
    RefreshPolicy, TokenManager,
    event::Listeners,
    shared::Shared,
    source::{ClientCredentialsSource, TokenSource},
};
use crate::{Client, store::TokenStore};

/// Makes a [`TokenManager`].
#[derive(Debug)]
#[must_use = "nothing is made before `build`"]
pub struct TokenManagerBuilder {
    client: Client,
    pub(super) settings: Settings,
}

#[derive(Debug)]
pub(super) struct Settings {
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) store: Option<Arc<dyn TokenStore>>,
    pub(super) listeners: Arc<Listeners>,
    pub(super) policy: RefreshPolicy,
    pub(super) background: bool,
    pub(super) capacity: usize,
    pub(super) revoke_on_delete: bool,
    pub(super) require_expiry: bool,
    pub(super) auto_introspect: bool,
    pub(super) min_introspect_interval: std::time::Duration,
    pub(super) min_userinfo_refresh_interval: std::time::Duration,
}

impl TokenManagerBuilder {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            settings: Settings {
                source: Arc::new(ClientCredentialsSource),
                store: None,
                listeners: Arc::default(),
                policy: RefreshPolicy::default(),
                background: false,
                capacity: usize::MAX,
                revoke_on_delete: false,
                require_expiry: false,
                auto_introspect: false,
                min_introspect_interval: std::time::Duration::from_secs(30),
                min_userinfo_refresh_interval: std::time::Duration::from_secs(30),
            },
        }
    }

    /// Where tokens are kept beyond this process's memory. Without a store they end with it.
    ///
    /// A token that could not be stored is handed out, and written again until it is stored or
    /// cleared: a manager whose store never comes back is not freed. The manager sets no time limit
    /// of its own to the store's calls; it waits as long as they take.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.settings.store = Some(Arc::new(store));
        self
    }

    /// As [`TokenManagerBuilder::store`], for a store that is shared.
    pub fn shared_store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.settings.store = Some(store);
        self
    }

    /// Tells its events to those who listen to `manager`, and the other way round: for a service
    /// whose tokens lie with several managers.
    pub fn listeners_of(mut self, manager: &TokenManager) -> Self {
        self.settings.listeners = Arc::clone(&manager.shared.listeners);
        self
    }

    /// Where first tokens come from; by client credentials if not set.
    pub fn source(mut self, source: impl TokenSource) -> Self {
        self.settings.source = Arc::new(source);
        self
    }

    /// When tokens are renewed.
    pub fn policy(mut self, policy: RefreshPolicy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// Also renews tokens that nobody asks for. The task starts with the first token and ends
    /// with the last manager.
    pub fn background_refresh(mut self, on: bool) -> Self {
        self.settings.background = on;
        self
    }

    /// How many owners are kept in memory when there is a store to read the others from. There may
    /// be more for half a minute.
    pub fn capacity(mut self, owners: usize) -> Self {
        self.settings.capacity = owners.max(1);
        self
    }

    /// Whether deleting a token also revokes it at the server (RFC 7009).
    pub fn revoke_on_delete(mut self, on: bool) -> Self {
        self.settings.revoke_on_delete = on;
        self
    }

    /// Whether a token that was obtained elsewhere is refused when neither it nor introspection
    /// says when it ends.
    pub fn require_expiry(mut self, on: bool) -> Self {
        self.settings.require_expiry = on;
        self
    }

    /// Whether the server is asked (RFC 7662) when a token ends that came without a lifetime: one
    /// that is [registered](TokenManager::register) before it is kept, one that is granted or
    /// refreshed after it was handed out, and kept even if the server says that it has ended already.
    /// Not set, such a token is used until an API refuses it.
    ///
    /// ```
    /// # async fn register(client: oauth_core::Client, token: oauth_core::TokenSet)
    /// # -> Result<(), oauth_core::Error> {
    /// use oauth_core::{TokenManager, store::Subject};
    ///
    /// let tokens = TokenManager::builder(client).auto_introspect(true).build();
    /// let kept = tokens.register(&Subject::user("demo"), token).await?;
    /// println!("until {:?}", kept.expires_at());
    /// # Ok(())
    /// # }
    /// ```
    pub fn auto_introspect(mut self, on: bool) -> Self {
        self.settings.auto_introspect = on;
        self
    }

    /// How long an introspection answer is used; 30 s if not set.
    pub fn min_introspect_interval(mut self, interval: std::time::Duration) -> Self {
        self.settings.min_introspect_interval = interval;
        self
    }

    /// How long a userinfo answer is used; 30 s if not set.
    pub fn min_userinfo_refresh_interval(mut self, interval: std::time::Duration) -> Self {
        self.settings.min_userinfo_refresh_interval = interval;
        self
    }

    /// The manager. Nothing is sent, read or spawned before it is used.
    #[must_use]
    pub fn build(self) -> TokenManager {
        let source = Arc::clone(&self.settings.source);
        let shared = Arc::new(Shared::new(&self.client, self.settings));
        TokenManager {
            registration: shared.register(self.client, source),
            shared,
        }
    }
}
