//! The keys of clients that publish them themselves (RFC 7591 §2, `jwks_uri`): fetched when they
//! are needed, kept, and fetched again for a key that is not among them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{AuthorizationServer, Client, ContextError, Jwks, guard::lock};

/// How long keys are used without asking anew.
const FRESH: Duration = Duration::from_secs(600);

/// How long they are used when asking anew fails.
const STALE: Duration = Duration::from_secs(3600);

/// The least time between two requests to one address, whatever they brought: anybody can send an
/// assertion with an unknown key in a client's name.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// More addresses than this are not remembered.
const MAX_ADDRESSES: usize = 10_000;

/// Fetches the key sets that clients publish.
///
/// The address comes from a client's registration, so an implementation takes no more than it has
/// to: no redirects, a bounded body, a bounded time, and no address inside the server's own
/// network. `HttpJwks`, with the feature `jwks-uri`, is one.
#[async_trait]
pub trait FetchJwks: fmt::Debug + Send + Sync {
    /// The body behind this address.
    ///
    /// # Errors
    ///
    /// When it cannot be had.
    async fn fetch(&self, jwks_uri: &str) -> Result<Bytes, ContextError>;
}

/// What is known of the keys behind each address.
#[derive(Debug, Default)]
pub(crate) struct ClientKeys(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Known>>>>);

#[derive(Debug, Default)]
struct Known {
    keys: Option<(Jwks, SystemTime)>,
    asked: Option<SystemTime>,
}

impl Known {
    fn younger(&self, age: Duration, now: SystemTime) -> Option<Jwks> {
        let (keys, since) = self.keys.as_ref()?;
        (now < *since + age).then(|| keys.clone())
    }
}

impl ClientKeys {
    /// Requests for one address wait for each other, so that one of them asks for all.
    fn of(&self, jwks_uri: &str) -> Arc<tokio::sync::Mutex<Known>> {
        let mut known = lock(&self.0);
        if known.len() >= MAX_ADDRESSES && !known.contains_key(jwks_uri) {
            known.retain(|_, entry| Arc::strong_count(entry) > 1);
        }
        known.entry(jwks_uri.to_owned()).or_default().clone()
    }
}

impl AuthorizationServer {
    /// The keys of a client, registered or published; `id` is that of the key in question.
    pub(crate) async fn keys_of(
        &self,
        client: &Client,
        id: Option<&str>,
    ) -> Result<Option<Jwks>, ContextError> {
        let Some(jwks_uri) = client.jwks_uri() else {
            return Ok(client.jwks().cloned());
        };
        let known = self.client_keys().of(jwks_uri);
        let kept = known.lock().await.younger(FRESH, self.now());
        if let Some(keys) = kept.filter(|keys| keys.candidates(id).next().is_some()) {
            return Ok(Some(keys));
        }
        let (server, jwks_uri) = (self.clone(), jwks_uri.to_owned());
        // A caller that goes away must not leave the others without keys.
        let asked = tokio::spawn(async move { server.asked_again(&known, &jwks_uri).await });
        let missing = || ContextError::new("the client's keys cannot be fetched");
        let keys = asked.await.ok().flatten();
        keys.ok_or_else(missing).map(Some)
    }

    async fn asked_again(&self, known: &tokio::sync::Mutex<Known>, jwks_uri: &str) -> Option<Jwks> {
        let mut known = known.lock().await;
        let now = self.now();
        if known.asked.is_none_or(|asked| now >= asked + COOL_DOWN) {
            known.asked = Some(now);
            match self.fetched(jwks_uri).await {
                Ok(keys) => known.keys = Some((keys, now)),
                Err(error) => tracing::warn!(%error, jwks_uri, "a client's keys were not fetched"),
            }
        }
        known.younger(STALE, now)
    }

    async fn fetched(&self, jwks_uri: &str) -> Result<Jwks, ContextError> {
        let none = || ContextError::new("the server was given nothing to fetch keys with");
        let body = self
            .jwks_fetcher()
            .ok_or_else(none)?
            .fetch(jwks_uri)
            .await?;
        let set = serde_json::from_slice(&body).ok();
        set.and_then(|set| Jwks::published(&set))
            .ok_or_else(|| ContextError::new("what was fetched is no key set of this server's"))
    }
}
