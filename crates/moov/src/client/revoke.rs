//! The request of `POST /oauth2/revoke`.

use oauth_core::{AccessToken, RefreshToken, RetryPolicy, TokenTypeHint};
use secrecy::SecretString;

use crate::{Error, RetryConfig};

/// A request to revoke a token (RFC 7009). The key pair is the client's.
#[derive(Debug, Clone)]
pub struct RevokeAccessToken {
    token: SecretString,
    token_type_hint: Option<TokenTypeHint>,
    retries: Option<RetryConfig>,
}

impl RevokeAccessToken {
    /// Revokes a token of either kind.
    #[must_use]
    pub fn new(token: impl Into<SecretString>) -> Self {
        Self {
            token: token.into(),
            token_type_hint: None,
            retries: None,
        }
    }

    /// Revokes an access token, and says that it is one.
    #[must_use]
    pub fn access_token(token: &AccessToken) -> Self {
        Self::new(token.expose_secret()).with_token_type_hint(TokenTypeHint::AccessToken)
    }

    /// Revokes a refresh token, and says that it is one.
    #[must_use]
    pub fn refresh_token(token: &RefreshToken) -> Self {
        Self::new(token.expose_secret()).with_token_type_hint(TokenTypeHint::RefreshToken)
    }

    /// Says of which kind the token is.
    #[must_use]
    pub fn with_token_type_hint(mut self, hint: TokenTypeHint) -> Self {
        self.token_type_hint = Some(hint);
        self
    }

    /// Sets what is sent again, for this call; otherwise as the client says.
    #[must_use]
    pub fn with_retries(mut self, retries: RetryConfig) -> Self {
        self.retries = Some(retries);
        self
    }

    pub(super) async fn send(self, client: &oauth_core::Client) -> Result<(), Error> {
        let mut revoke = client.revoke_text(self.token, self.token_type_hint);
        if let Some(retries) = &self.retries {
            revoke = revoke.retry(RetryPolicy::from(retries));
        }
        Ok(revoke.await?)
    }
}
