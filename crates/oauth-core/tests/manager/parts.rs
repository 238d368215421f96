//! What the tests of the manager are put together from.

use std::{sync::Arc, time::Duration};

use oauth_core::{
    AccessToken, Capabilities, Capability, Client, Endpoints, GenericProvider, RefreshToken,
    RetryPolicy, Scopes, TokenManager, TokenSet,
    clock::Clock,
    manager::TokenManagerBuilder,
    store::{MemoryStore, Subject},
};

use crate::{faulty::Faulty, server::Server};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn user() -> Subject {
    Subject::user("42")
}

pub(crate) fn scopes(text: &str) -> Scopes {
    text.parse().unwrap()
}

/// A token of a login, for an hour.
pub(crate) fn login(server: &Server, access: &str, refresh: &str) -> TokenSet {
    let now = server.clock.now();
    TokenSet::new(AccessToken::new(access).unwrap(), now)
        .with_expires_at(Some(now + HOUR))
        .with_scopes(scopes("read write"))
        .with_refresh_token((!refresh.is_empty()).then(|| RefreshToken::new(refresh).unwrap()))
}

/// A client at the issuer `host`, with every endpoint.
pub(crate) fn client(server: &Server, host: &str, retry: RetryPolicy) -> Client {
    let url = |path: &str| format!("https://{host}/{path}");
    let endpoints = Endpoints::new(&url("token"))
        .and_then(|endpoints| endpoints.with_revocation(&url("revoke")))
        .and_then(|endpoints| endpoints.with_introspection(&url("introspect")))
        .and_then(|endpoints| endpoints.with_userinfo(&url("userinfo")))
        .and_then(|endpoints| endpoints.with_jwks(&url("jwks")))
        .unwrap()
        .with_issuer(format!("https://{host}"));
    let provider = GenericProvider::new(endpoints).with_capabilities(Capabilities::of([
        Capability::ClientCredentials,
        Capability::RefreshToken,
        Capability::ScopeOnRefresh,
    ]));
    Client::builder(provider, "client")
        .client_secret("secret")
        .transport(server.clone())
        .clock(Arc::new(server.clock.clone()))
        .retry(retry)
        .build()
        .unwrap()
}

/// A server, a store that can fail, and a manager over both, with a user who has logged in.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) store: Faulty,
    pub(crate) tokens: TokenManager,
}

impl World {
    /// Its clock stands still while somebody sleeps.
    pub(crate) async fn new() -> Self {
        let server = Server::stepped();
        let store = MemoryStore::with_clock(Arc::new(server.clock.clone()));
        let store = Faulty::over(store);
        let world = Self {
            tokens: builder(&server).store(store.clone()).build(),
            server,
            store,
        };
        world.log_in("refresh-0").await;
        world
    }

    pub(crate) async fn log_in(&self, refresh: &str) {
        let token = login(&self.server, "access-0", refresh);
        self.tokens.register(&user(), token).await.unwrap();
    }

    /// Another process with the same store.
    pub(crate) fn another(&self) -> TokenManager {
        builder(&self.server).store(self.store.clone()).build()
    }

    pub(crate) async fn get(&self) -> String {
        let token = self.tokens.get(&user(), None).await.unwrap();
        token.expose_secret().to_owned()
    }

    pub(crate) async fn stored(&self) -> Option<String> {
        self.store.refresh_token(&self.tokens.owner(&user())).await
    }
}

pub(crate) fn builder(server: &Server) -> TokenManagerBuilder {
    TokenManager::builder(client(server, "id.example.com", RetryPolicy::none()))
}

/// Until all that can run without time passing has run.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
