//! Authentication with Ministry Platform: as the default user, as an API client, and their tokens,
//! kept by the core's token manager.
//!
//! ```no_run
//! # async fn run() -> Result<(), ministry_platform::Error> {
//! use ministry_platform::{Authentication, oauth_core::Token};
//!
//! let authentication = Authentication::from_env()?;
//! let token = authentication.authenticate_client("Some.Client").await?;
//! println!("it ends at {:?}", token.expires_at());
//! # Ok(())
//! # }
//! ```

mod builder;
mod call;
mod client_secret;
mod credentials;
mod secrets;
mod tokens;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use oauth_core::{
    AccessToken, Client, ErrorCode, Provider, RetryPolicy, Scopes, TokenSet, UserInfo,
    clock::Clock, grant, json_object, manager::Events, store::TokenStore,
};
use secrecy::SecretString;

use crate::{Api, Error, ErrorKind, MinistryPlatform};
pub use builder::AuthenticationBuilder;
pub(crate) use call::Refusal;
use client_secret::ClientId;
pub use credentials::Credentials;
use secrets::Secrets;
use tokens::Tokens;

/// Authenticates with one church's Ministry Platform and keeps the tokens: what a service holds for
/// its whole life. Cheap to clone; clones share the tokens, two that were built apart share nothing.
///
/// A token is handed out until the last fifth of its lifetime, at most five minutes, before its
/// end; then the next call fetches a new one. Whatever the number of callers, there is one request
/// for each user and client at a time. A caller may be dropped at any point: the request goes on,
/// in a task of the tokio runtime that it was called from. With a
/// [store](AuthenticationBuilder::store) the tokens outlive the process, and all processes that
/// share it make one request.
#[derive(Clone)]
pub struct Authentication(Arc<Inner>);

struct Inner {
    platform: MinistryPlatform,
    client: Client,
    scopes: Scopes,
    api_retry: RetryPolicy,
    tokens: Tokens,
    secrets: Secrets,
}

#[derive(Clone)]
struct User {
    username: String,
    password: SecretString,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// The default user, by the password grant.
    User,
    /// The user who looks client secrets up, which may be the default user.
    Lookup,
    /// An API client, by client credentials.
    Client(ClientId),
}

impl Authentication {
    /// Authentication with the platform at `base_url`, as [`MinistryPlatform::new`] takes it.
    /// Required are user name, password, client id and client secret.
    ///
    /// ```
    /// # #[cfg(feature = "rustls")]
    /// # fn main() -> Result<(), ministry_platform::Error> {
    /// use ministry_platform::Authentication;
    ///
    /// let authentication = Authentication::builder("my.church.org")
    ///     .username("user")
    ///     .password("password")
    ///     .client_id("client")
    ///     .client_secret("secret")
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "rustls"))]
    /// # fn main() {}
    /// ```
    pub fn builder(base_url: impl Into<String>) -> AuthenticationBuilder {
        AuthenticationBuilder::at(base_url.into())
    }

    /// As [`Authentication::builder`], for a platform with switches of its own.
    pub fn builder_for(platform: MinistryPlatform) -> AuthenticationBuilder {
        AuthenticationBuilder::of(platform)
    }

    /// Authentication with what the environment says: see [`AuthenticationBuilder::from_env`].
    ///
    /// # Errors
    /// As [`AuthenticationBuilder::from_env`] and [`AuthenticationBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        AuthenticationBuilder::from_env()?.build()
    }

    fn new(
        platform: MinistryPlatform,
        client: Client,
        user: User,
        lookup_user: Option<User>,
        scopes: Scopes,
        api_retry: RetryPolicy,
        store: Option<Arc<dyn TokenStore>>,
    ) -> Self {
        Self(Arc::new(Inner {
            tokens: Tokens::new(&client, user, lookup_user, scopes.clone(), store),
            secrets: Secrets::default(),
            platform,
            client,
            scopes,
            api_retry,
        }))
    }

    /// The default user's token (RFC 6749 §4.3), from the cache or from the server.
    ///
    /// # Errors
    /// [`ErrorKind::LoginRefused`] when the server refuses user or client; the transport's, the
    /// server's and protocol errors for what can happen on the way.
    pub async fn authenticate(&self) -> Result<Arc<TokenSet>, Error> {
        let token = self.token(&Identity::User).await?;
        Ok(Arc::new(token.token_set()))
    }

    /// Logs another user in. The server is asked every time: this is how a password is checked,
    /// and neither password nor token is kept.
    ///
    /// # Errors
    /// As [`Authentication::authenticate`].
    pub async fn authenticate_with(&self, credentials: &Credentials) -> Result<TokenSet, Error> {
        let client = match credentials.client() {
            Some((id, secret)) => self
                .0
                .client
                .sibling(id)
                .client_secret(secret.clone())
                .build()?,
            None => self.0.client.clone(),
        };
        self.log_in(&client, credentials.username(), credentials.password())
            .await
    }

    /// The token of an API client (RFC 6749 §4.4), from the cache or from the server: its secret
    /// is looked up in the API Clients table with the default user's token.
    ///
    /// The secret is kept for two minutes, as the server does. When it is refused, the row is read
    /// once more; the error after that tells that a change takes up to two minutes.
    ///
    /// # Errors
    /// Each step has its kinds: [`ErrorKind::LoginRefused`]; [`ErrorKind::LookupRefused`],
    /// [`ErrorKind::ClientNotFound`], [`ErrorKind::ClientAmbiguous`], [`ErrorKind::ClientDisabled`],
    /// [`ErrorKind::ClientSecretMissing`]; [`ErrorKind::ClientRefused`]. [`ErrorKind::Usage`] for
    /// an id that is empty, longer than 256 bytes or has control characters; nothing is sent then.
    pub async fn authenticate_client(&self, client_id: &str) -> Result<Arc<TokenSet>, Error> {
        let client = Identity::Client(ClientId::new(client_id)?);
        Ok(Arc::new(self.token(&client).await?.token_set()))
    }

    /// Forgets every token and every secret, in the store too. A fetch that is under way does not
    /// bring one back.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] when something may still be in the store; here it is forgotten.
    pub async fn clear(&self) -> Result<(), Error> {
        self.0.secrets.clear();
        self.0.tokens.clear().await
    }

    /// Forgets the tokens of a client id, in the store too, so that the next call to authenticate
    /// goes to the server. The users' tokens are those of the configured client id: the default
    /// user's and the one that looks client secrets up.
    ///
    /// # Errors
    /// [`ErrorKind::NotCached`] when there is none for this id; [`ErrorKind::Store`] when it may
    /// still be in the store.
    pub async fn invalidate_token(&self, client_id: &str) -> Result<(), Error> {
        if self.forget(client_id).await? {
            Ok(())
        } else {
            Err(Error::new(
                ErrorKind::NotCached,
                "there is no token for this client id",
            ))
        }
    }

    /// What happens to the tokens of users and clients from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.tokens.events()
    }

    /// Whether the server still takes a token: it is asked, at its userinfo endpoint. A token that
    /// is known but may not read that (a client's) is valid.
    ///
    /// # Errors
    /// When the server's answer says neither.
    pub async fn valid_token(&self, token: &AccessToken) -> Result<bool, Error> {
        let url = format!("{}/oauth/connect/userinfo", self.0.platform.base_url());
        let request = http::Request::get(url)
            .body(Bytes::new())
            .map_err(|_| Error::usage("the base URL is not one that HTTP can ask for"))?;
        match self.call(self.resolve(request)?, token).await {
            Ok(response) => match json_object(&response) {
                Ok(claims) if claims.contains_key("sub") => Ok(true),
                _ => Err(Error::protocol("the answer says nothing about the user")),
            },
            Err(Refusal::DeadToken(_)) => Ok(false),
            Err(Refusal::Other(error)) if error.code() == Some(&ErrorCode::InsufficientScope) => {
                Ok(true)
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The claims about a token's user: `sub` is the `User_GUID`.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when the token is dead, which a new one mends
    /// ([`Recovery::Renew`](oauth_core::Recovery::Renew)), or was granted without `openid`.
    pub async fn userinfo(&self, token: &AccessToken) -> Result<UserInfo, Error> {
        Ok(self.0.client.userinfo(token).await?)
    }

    /// Revokes a token (RFC 7009) of the configured client and forgets it.
    ///
    /// # Errors
    /// When the token may still be valid at the server; it is forgotten here all the same.
    pub async fn revoke(&self, token: &AccessToken) -> Result<(), Error> {
        self.0.tokens.delete(token).await?;
        Ok(self.0.client.revoke(token).await?)
    }

    /// The API, called with the default user's token.
    #[must_use]
    pub fn api(&self) -> Api {
        Api::new(self.clone(), Identity::User)
    }

    /// The API, called with the token of an API client.
    ///
    /// # Errors
    /// A usage error for an id that [`Authentication::authenticate_client`] refuses.
    pub fn api_as(&self, client_id: &str) -> Result<Api, Error> {
        Ok(Api::new(
            self.clone(),
            Identity::Client(ClientId::new(client_id)?),
        ))
    }

    /// The core's client under it, for what has no method here: authorization requests, their
    /// codes, refreshes.
    #[must_use]
    pub fn core(&self) -> &Client {
        &self.0.client
    }

    /// The platform.
    #[must_use]
    pub fn platform(&self) -> &MinistryPlatform {
        &self.0.platform
    }

    async fn log_in(
        &self,
        client: &Client,
        username: &str,
        password: &SecretString,
    ) -> Result<TokenSet, Error> {
        let grant =
            grant::Password::new(username, password.clone()).with_scopes(self.0.scopes.clone());
        client
            .exchange(&grant)
            .await
            .map_err(|error| Error::of(error, ErrorKind::LoginRefused))
    }

    fn clock(&self) -> &dyn Clock {
        &**self.0.client.clock()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User")
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inner")
    }
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("base_url", &self.0.platform.base_url().as_str())
            .field("client_id", &self.0.client.client_id())
            .field("provider", &self.0.platform.name())
            .finish_non_exhaustive()
    }
}
