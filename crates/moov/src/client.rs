//! The client: one method per operation of Moov's authentication API.

mod builder;
mod create;
mod environment;
mod revoke;

use http::HeaderMap;
use oauth_core::{AccessToken, RefreshToken, Scopes, Token, TokenSet, grant};
use secrecy::SecretString;

use crate::{Error, refusal};
pub use builder::ClientBuilder;
pub use create::{CreateAccessToken, GrantType};
pub use revoke::RevokeAccessToken;

/// A client of Moov's authentication API with one key pair. A plain type, cheap to clone,
/// `Send + Sync`: it fits into a struct field.
///
/// It keeps no token; a [`Session`](crate::Session) does, by their scopes: with Moov these name
/// the account that a token is for.
#[derive(Debug, Clone)]
pub struct Client(oauth_core::Client);

impl Client {
    /// A client with this key pair.
    pub fn builder(
        public_key: impl Into<String>,
        secret_key: impl Into<SecretString>,
    ) -> ClientBuilder {
        ClientBuilder::new(public_key.into(), secret_key.into())
    }

    /// A client as the environment describes it, see [`ClientBuilder::from_env`].
    ///
    /// # Errors
    /// A usage error when a variable is missing or wrong.
    pub fn from_env() -> Result<Self, Error> {
        ClientBuilder::from_env()?.build()
    }

    /// Creates or refreshes an access token: `POST /oauth2/token`.
    ///
    /// Moov answers client credentials with a refresh token too.
    ///
    /// # Errors
    /// [`AuthTokenRequestError`](crate::ErrorKind::AuthTokenRequestError) when Moov refuses a
    /// field, and the other [kinds](crate::ErrorKind).
    ///
    /// ```
    /// # async fn call(client: moov::Client) -> Result<(), moov::Error> {
    /// use moov::{CreateAccessToken, GrantType, Scope, Token};
    ///
    /// let request = CreateAccessToken::new(GrantType::ClientCredentials).with_scope(Scope::accounts_read());
    /// let token = client.create_access_token(request).await?;
    /// assert!(token.expires_at().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_access_token(&self, request: CreateAccessToken) -> Result<TokenSet, Error> {
        request.send(&self.0).await
    }

    /// A new token for the key pair's own account or another, as `scopes` say.
    ///
    /// # Errors
    /// As [`Client::create_access_token`].
    pub async fn client_credentials(&self, scopes: impl Into<Scopes>) -> Result<TokenSet, Error> {
        self.create_access_token(CreateAccessToken::client_credentials(scopes))
            .await
    }

    /// A new access token for a refresh token.
    ///
    /// # Errors
    /// As [`Client::create_access_token`].
    pub async fn refresh(&self, refresh_token: &RefreshToken) -> Result<TokenSet, Error> {
        self.create_access_token(CreateAccessToken::refresh(refresh_token))
            .await
    }

    /// A new token in the place of `token`: by its refresh token, or, when it has none or Moov
    /// refuses it with 400 or 422, once by the key pair with `scopes`. After a time-out or a 5XX
    /// the refresh token may still be good, so that the error is returned instead.
    ///
    /// # Errors
    /// As [`Client::create_access_token`]; of the last request when there were two.
    pub async fn renew(
        &self,
        token: &dyn Token,
        scopes: impl Into<Scopes>,
    ) -> Result<TokenSet, Error> {
        let scopes = scopes.into();
        if token.refresh_token().is_some() {
            let grant = grant::RefreshToken::of(token)?;
            match self.0.exchange(&grant).await.map_err(Error::from) {
                Err(error) if error.status().is_some_and(refusal::is_final) => {
                    tracing::debug!(
                        status = error.status().map(|status| status.as_u16()),
                        "refresh refused, asking anew"
                    );
                }
                result => return result,
            }
        }
        self.client_credentials(scopes).await
    }

    /// Tells Moov that an access or refresh token is no longer needed: `POST /oauth2/revoke`.
    ///
    /// # Errors
    /// [`RevokeTokenRequestError`](crate::ErrorKind::RevokeTokenRequestError) when Moov refuses a
    /// field, and the other [kinds](crate::ErrorKind); the token may then still be valid.
    pub async fn revoke_access_token(&self, request: RevokeAccessToken) -> Result<(), Error> {
        request.send(&self.0).await
    }

    /// Puts into the headers of an API call what it needs: the token as Bearer, whatever its type
    /// is called, `Origin` or `Referer`, and the version.
    ///
    /// # Errors
    /// A usage error when the token cannot go into a header.
    pub fn authorize(&self, token: &AccessToken, headers: &mut HeaderMap) -> Result<(), Error> {
        Ok(self.0.provider().authorize_request(token, headers)?)
    }

    /// The client in the core's terms.
    #[must_use]
    pub fn core(&self) -> &oauth_core::Client {
        &self.0
    }
}
