//! What a service holds for its whole life: a token for each set of scopes, renewed once for
//! everybody and never lost.

mod builder;
mod handle;

use async_trait::async_trait;
use oauth_core::{
    Scopes, TokenManager, TokenSet, grant,
    manager::{Events, ManagedToken, TokenSource, exchange},
    store::{Subject, TokenRequest},
};

use crate::{Client, Error};
pub use builder::SessionBuilder;
pub use handle::SessionHandle;

/// The tokens of a key pair, by their scopes, which with Moov name the account that a token is
/// for. Cheap to clone; clones share everything.
///
/// A token that ends is refreshed, and asked for anew when Moov does not take the refresh token any
/// more (400 or 422). Many callers make one request, and with a [store](oauth_core::store) many
/// processes do; what comes is stored before it is used.
///
/// ```
/// # async fn serve(client: moov::Client, account: moov::AccountId) -> Result<(), moov::Error> {
/// use moov::{AccountScope, Session};
///
/// let session = Session::new(client);
/// let cards = session.scopes(AccountScope::CardsRead.of(&account));
/// let headers = cards.headers().await?; // Authorization, Origin or Referer, the version
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    client: Client,
    tokens: TokenManager,
}

impl Session {
    /// A session that keeps its tokens in memory.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self::builder(client).build()
    }

    /// A session with a store, or another policy.
    pub fn builder(client: Client) -> SessionBuilder {
        SessionBuilder::new(client)
    }

    /// The token with exactly these scopes. It is asked for when it is used.
    #[must_use]
    pub fn scopes(&self, scopes: impl Into<Scopes>) -> SessionHandle {
        SessionHandle::new(self, scopes.into())
    }

    /// A valid token with exactly these scopes; refreshed or asked for where there is none.
    ///
    /// # Errors
    /// As [`Client::create_access_token`].
    pub async fn create_access_token(
        &self,
        scopes: impl Into<Scopes> + Send,
    ) -> Result<ManagedToken, Error> {
        self.scopes(scopes).token().await
    }

    /// Keeps a token that was obtained elsewhere, for the scopes that it has.
    ///
    /// # Errors
    /// A usage error when it has ended and there is no refresh token;
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) when it could not be stored: the session has
    /// it, and stores it when it can.
    pub async fn register(&self, token: TokenSet) -> Result<ManagedToken, Error> {
        Ok(self.tokens.register(&Subject::Client, token).await?)
    }

    /// Forgets every token, and revokes each at Moov: first the refresh token, then the access
    /// token.
    ///
    /// # Errors
    /// When a token may still be in the store, or Moov did not revoke one: it may then still be
    /// valid, but is not here.
    pub async fn revoke_all(&self) -> Result<(), Error> {
        let deleted = self.tokens.delete_all(&Subject::Client).await?;
        Ok(deleted.revocations.into_iter().collect::<Result<(), _>>()?)
    }

    /// What happens to the tokens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.tokens.events()
    }

    /// The client, for everything else.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The manager that keeps the tokens.
    #[must_use]
    pub fn tokens(&self) -> &TokenManager {
        &self.tokens
    }
}

/// The key pair, which needs scopes.
#[derive(Debug)]
struct KeyPair;

#[async_trait]
impl TokenSource for KeyPair {
    async fn token(
        &self,
        client: &oauth_core::Client,
        subject: &Subject,
        request: &TokenRequest,
    ) -> Result<Option<TokenSet>, oauth_core::Error> {
        if *subject != Subject::Client {
            return Ok(None);
        }
        let scopes = request
            .requested_scopes()
            .filter(|scopes| !scopes.is_empty());
        let scopes = scopes
            .ok_or_else(|| oauth_core::Error::usage("client_credentials needs a scope"))?
            .clone();
        let grant = grant::ClientCredentials::new().with_scopes(scopes);
        exchange(client, &grant, request).await.map(Some)
    }
}
