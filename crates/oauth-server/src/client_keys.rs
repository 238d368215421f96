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
pub(crate) struct ClientKeys(Mutex<HashMap<String, Arc<Address>>>);

#[derive(Debug, Default)]
struct Address {
    /// Locked for a moment only: whose key is known waits for no fetch.
    known: Mutex<Known>,
    /// Held by whoever fetches; taken before `known`.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<(Jwks, SystemTime)>,
    asked: Option<SystemTime>,
}

impl Known {
    /// Whether it is time to ask; then somebody does.
    fn asks(&mut self, now: SystemTime) -> bool {
        let due = self.asked.is_none_or(|asked| now >= asked + COOL_DOWN);
        if due {
            self.asked = Some(now);
        }
        due
    }

    fn younger(&self, age: Duration, now: SystemTime) -> Option<Jwks> {
        let (keys, since) = self.keys.as_ref()?;
        (now < *since + age).then(|| keys.clone())
    }
}

impl ClientKeys {
    fn of(&self, jwks_uri: &str) -> Arc<Address> {
        let mut known = lock(&self.0);
        if known.len() >= MAX_ADDRESSES && !known.contains_key(jwks_uri) {
            known.retain(|_, entry| Arc::strong_count(entry) > 1);
        }
        known.entry(jwks_uri.to_owned()).or_default().clone()
    }
}

impl AuthorizationServer {
    /// The keys of a client, registered or published; `id` is that of the key in question. None,
    /// too, if they cannot be fetched: whoever sends an assertion is not told, because only of a
    /// client that there is can it be said.
    pub(crate) async fn keys_of(&self, client: &Client, id: Option<&str>) -> Option<Jwks> {
        let Some(jwks_uri) = client.jwks_uri() else {
            return client.jwks().cloned();
        };
        let address = self.client_keys().of(jwks_uri);
        let kept = lock(&address.known).younger(FRESH, self.now());
        let kept = kept.filter(|keys| keys.candidates(id).next().is_some());
        if kept.is_some() {
            return kept;
        }
        let (server, jwks_uri) = (self.clone(), jwks_uri.to_owned());
        // A caller that goes away must not leave the others without keys.
        let asked = tokio::spawn(async move { server.asked_again(&address, &jwks_uri).await });
        asked.await.ok().flatten()
    }

    /// Whoever wants a key that is not known waits for the one who fetches.
    async fn asked_again(&self, address: &Address, jwks_uri: &str) -> Option<Jwks> {
        let _fetching = address.fetching.lock().await;
        let now = self.now();
        if lock(&address.known).asks(now) {
            match self.fetched(jwks_uri).await {
                Ok(keys) => lock(&address.known).keys = Some((keys, now)),
                Err(error) => tracing::warn!(%error, jwks_uri, "a client's keys were not fetched"),
            }
        }
        lock(&address.known).younger(STALE, now)
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

#[cfg(all(test, feature = "jwt"))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{ManualClock, SecretCost};

    /// Publishes a key with the number of requests so far as its id, as long as it answers.
    #[derive(Debug, Default)]
    struct Published {
        requests: AtomicUsize,
        down: std::sync::atomic::AtomicBool,
        /// Whoever holds it keeps the answers back.
        slow: tokio::sync::Mutex<()>,
    }

    #[async_trait]
    impl FetchJwks for Published {
        async fn fetch(&self, _: &str) -> Result<Bytes, ContextError> {
            // Others get their turn meanwhile.
            tokio::task::yield_now().await;
            let count = self.requests.fetch_add(1, Ordering::SeqCst) + 1;
            drop(self.slow.lock().await);
            if self.down.load(Ordering::SeqCst) {
                return Err(ContextError::new("down"));
            }
            let keys = serde_json::json!({ "keys": [{ "kty": "EC", "crv": "P-384" }, {
                "kty": "OKP", "crv": "Ed25519", "kid": count.to_string(),
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }]});
            Ok(keys.to_string().into())
        }
    }

    struct World {
        server: AuthorizationServer,
        client: Client,
        clock: Arc<ManualClock>,
        published: Arc<Published>,
    }

    impl World {
        fn new() -> Self {
            let (clock, published) = (
                Arc::new(ManualClock::new(SystemTime::UNIX_EPOCH)),
                Arc::new(Published::default()),
            );
            let server = AuthorizationServer::builder("https://auth.example")
                .clock(clock.clone())
                .jwks_fetcher(published.clone())
                .secret_cost(SecretCost::LOW);
            let client = Client::builder("app").jwks_uri("https://app.example/keys");
            Self {
                server: server.build().expect("a server"),
                client: client.build().expect("a client"),
                clock,
                published,
            }
        }

        /// Whether there is such a key; none if the keys cannot be had.
        async fn has(&self, id: &str) -> Option<bool> {
            let keys = self.server.keys_of(&self.client, Some(id)).await;
            keys.map(|keys| keys.candidates(Some(id)).next().is_some())
        }

        fn requests(&self) -> usize {
            self.published.requests.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn many_ask_once_and_an_unknown_key_once_in_a_minute() {
        let world = World::new();
        let asked = tokio::join!(world.has("1"), world.has("1"), world.has("1"));
        assert_eq!(asked, (Some(true), Some(true), Some(true)));
        for _ in 0..5 {
            assert_eq!(world.has("2").await, Some(false));
        }
        assert_eq!(world.requests(), 1);
        world.clock.advance(COOL_DOWN);
        assert_eq!(world.has("2").await, Some(true));
        assert_eq!(world.has("1").await, Some(false), "it is gone there");
        assert_eq!(world.requests(), 2);
        world.clock.advance(FRESH);
        assert_eq!(world.has("3").await, Some(true), "asked anew");
    }

    #[tokio::test]
    async fn whose_key_is_known_waits_for_nobody() {
        let world = World::new();
        assert_eq!(world.has("1").await, Some(true));
        world.clock.advance(COOL_DOWN);
        let slow = world.published.slow.lock().await;
        let mut unknown = std::pin::pin!(world.has("2"));
        while world.requests() < 2 {
            assert!(!ready(unknown.as_mut()).await);
            tokio::task::yield_now().await;
        }
        assert!(ready(std::pin::pin!(world.has("1"))).await);
        drop(slow);
        assert_eq!(unknown.await, Some(true));
    }

    /// Whether it has come so far already.
    async fn ready<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(future.as_mut().poll(context).is_ready())
        })
        .await
    }

    #[tokio::test]
    async fn keys_outlive_trouble_for_a_while() {
        let world = World::new();
        world.published.down.store(true, Ordering::SeqCst);
        for _ in 0..5 {
            assert_eq!(world.has("1").await, None);
        }
        assert_eq!(world.requests(), 1);
        world.published.down.store(false, Ordering::SeqCst);
        world.clock.advance(COOL_DOWN);
        assert_eq!(world.has("2").await, Some(true));
        world.published.down.store(true, Ordering::SeqCst);
        world.clock.advance(STALE - COOL_DOWN);
        assert_eq!(world.has("2").await, Some(true));
        world.clock.advance(COOL_DOWN);
        assert_eq!(world.has("2").await, None, "nobody knows any more");
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_keys_to_others() {
        let world = World::new();
        {
            assert!(!ready(std::pin::pin!(world.has("1"))).await);
        }
        assert_eq!(world.has("1").await, Some(true));
        assert_eq!(world.requests(), 1);
    }
}
