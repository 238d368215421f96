//! The token manager: a token that is valid now, renewed once for everybody, never lost.
//!
//! One [`TokenManager`] holds the tokens of many owners (issuer, client, subject) and answers from
//! memory while they are fresh. When one is not, a single flight per owner and request renews it,
//! however many callers wait; with a [store](crate::store) the flight is alone among all processes
//! that share it. What comes is stored before it is handed out, and the old refresh token goes only
//! after that (RFC 6749 §6).
//!
//! ```
//! use oauth_core::{Client, Endpoints, GenericProvider, manager::TokenManager, store::Subject};
//!
//! # #[cfg(feature = "rustls")]
//! async fn call() -> Result<(), oauth_core::Error> {
//!     let provider = GenericProvider::new(Endpoints::new("https://id.example.com/token")?);
//!     let client = Client::builder(provider, "client-id").client_secret("secret").build()?;
//!     let tokens = TokenManager::new(client);
//!
//!     // The client's own token, by client credentials; a request the first time only.
//!     let token = tokens.get(&Subject::Client, None).await?;
//!
//!     // For a hot path: a handle that gives the ready header.
//!     let source = tokens.source(&Subject::Client, None);
//!     let header = source.header().await?;
//!     Ok(())
//! }
//! ```
//!
//! # Time
//!
//! Five minutes before its end (at most a third of its life) a token is renewed in the background
//! and still handed out: the advisory window. One minute before it (at most a fifth) callers wait
//! for the new one: the mandatory window. When renewing fails, the old token is handed out to its
//! very end. [`RefreshPolicy`] sets all of it.
//!
//! # Failures
//!
//! Only `invalid_grant`, or what a provider maps to it, ends a refresh token; it is then dropped
//! and not sent again. After any other failure it stays where it was, and the failure is told to
//! everybody who asks for the next second, doubled up to a minute.

mod background;
mod builder;
mod claims;
mod event;
mod failures;
mod flight;
mod handle;
mod introspection;
mod kept;
mod lease;
mod life;
mod locks;
#[cfg(feature = "metrics")]
mod metrics;
mod policy;
mod registration;
mod renewal;
mod room;
mod select;
mod shared;
mod source;
mod sync;
mod table;
mod timeline;
mod turn;
mod unsaved;
mod update;

use std::{fmt, sync::Arc};

pub use builder::TokenManagerBuilder;
pub use event::{Event, Events};
pub use handle::TokenHandle;
pub use kept::ManagedToken;
pub use life::{Deleted, Session};
pub use policy::RefreshPolicy;
pub use select::Selection;
pub use source::{ClientCredentialsSource, TokenSource, exchange};

use crate::{
    AccessToken, Client, Error, Scopes,
    store::{Owner, Subject, TokenRequest},
};
use kept::Kept;
use registration::Registration;
use shared::{FlightKey, Shared};
use table::{Key, Wanted};

/// Keeps the tokens of a client. Cheap to clone; all clones, and the managers made with
/// [`TokenManager::with_client`], share one memory, one store and one set of flights.
#[derive(Clone)]
pub struct TokenManager {
    shared: Arc<Shared>,
    registration: Arc<Registration>,
}

impl TokenManager {
    /// A manager that keeps the tokens of `client` in memory.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self::builder(client).build()
    }

    /// A manager with a store, a source of its own, another policy.
    pub fn builder(client: Client) -> TokenManagerBuilder {
        TokenManagerBuilder::new(client)
    }

    /// A manager for another client, or for one of another issuer, with the same memory, store and
    /// policy. First tokens come by client credentials.
    #[must_use]
    pub fn with_client(&self, client: Client) -> Self {
        self.with_client_and_source(client, ClientCredentialsSource)
    }

    /// As [`TokenManager::with_client`], with another source of first tokens.
    #[must_use]
    pub fn with_client_and_source(&self, client: Client, source: impl TokenSource) -> Self {
        Self {
            registration: self.shared.register(client, Arc::new(source)),
            shared: Arc::clone(&self.shared),
        }
    }

    /// The client whose tokens these are.
    #[must_use]
    pub fn client(&self) -> &Client {
        self.registration.client()
    }

    /// What the tokens of `subject` are kept under.
    #[must_use]
    pub fn owner(&self, subject: &Subject) -> Owner {
        self.registration.owner(subject)
    }

    /// A valid access token of `subject` with exactly `scopes` and no more; with `None` any valid
    /// one, the longest-lived. Where there is none, it is refreshed or asked for.
    ///
    /// Dropping the future stops the waiting, not the request.
    ///
    /// # Errors
    /// When the token has ended and could not be renewed; [`Error::needs_reauthorization`] when
    /// only the user can help.
    #[inline]
    pub async fn get(
        &self,
        subject: &Subject,
        scopes: Option<&Scopes>,
    ) -> Result<ManagedToken, Error> {
        let wanted = Wanted {
            scopes,
            request: None,
            superset: self.shared.policy.accepts_superset(),
        };
        if let Some(kept) = self.shared.fresh(self.registration.id(), subject, wanted) {
            return Ok(ManagedToken(kept));
        }
        let request = scopes
            .cloned()
            .map_or_else(TokenRequest::any, TokenRequest::scopes);
        self.usable(&self.flight_key(subject, request)).await
    }

    /// A handle for hot paths: its [`header`](TokenHandle::header) is one clock reading and one
    /// clone while the token is fresh.
    #[must_use]
    pub fn source(&self, subject: &Subject, scopes: Option<&Scopes>) -> TokenHandle {
        let request = scopes
            .cloned()
            .map_or_else(TokenRequest::any, TokenRequest::scopes);
        self.select(subject).request(request).source()
    }

    /// A look-up with more to it than scopes: a resource (RFC 8707), parameters of the server's
    /// own; also a forced renewal, and registering a token that was obtained elsewhere.
    pub fn select(&self, subject: &Subject) -> Selection<'_> {
        Selection::new(self, subject.clone())
    }

    /// What happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.listeners.listen()
    }

    /// How many owners have tokens in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.table.len()
    }

    /// Whether no owner has a token in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    async fn usable(&self, key: &FlightKey) -> Result<ManagedToken, Error> {
        let kept = self.shared.usable(&self.registration, key).await?;
        Ok(ManagedToken(kept))
    }

    /// Another token than `rejected`; joins a flight that is under way.
    async fn renew(
        &self,
        subject: &Subject,
        request: TokenRequest,
        rejected: Option<&AccessToken>,
    ) -> Result<Arc<Kept>, Error> {
        let key = self.flight_key(subject, request);
        let found = self.shared.find(&key);
        if let (Some(kept), Some(rejected)) = (&found, rejected)
            && kept.access_token() != *rejected
            && self.shared.timeline.now() < self.shared.mandatory_at(kept)
        {
            // Somebody else's 401 has brought a new one already.
            return Ok(Arc::clone(kept));
        }
        let current = || found.as_ref().map(|kept| kept.access_token());
        let replaces = rejected.cloned().or_else(current);
        self.shared
            .renewed(&self.registration, &key, found, replaces)
            .await
    }

    fn flight_key(&self, subject: &Subject, request: TokenRequest) -> FlightKey {
        FlightKey {
            owner: self.key(subject),
            request,
        }
    }

    fn key(&self, subject: &Subject) -> Key {
        Key {
            registration: self.registration.id(),
            subject: subject.clone(),
        }
    }
}

impl fmt::Debug for TokenManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenManager")
            .field("client", self.client())
            .field("memory", &self.shared.table)
            .field("store", &self.shared.store)
            .finish_non_exhaustive()
    }
}
