//! The request of `POST /oauth2/token`.

use oauth_core::{RefreshToken, RetryPolicy, Scopes, TokenSet, grant};

use crate::{Error, RetryConfig};

/// The type of grant that is asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantType {
    /// `client_credentials` (RFC 6749 §4.4): the key pair alone. Needs a scope.
    ClientCredentials,
    /// `refresh_token` (RFC 6749 §6). Needs a refresh token.
    RefreshToken,
}

/// A request to create or refresh an access token.
///
/// The key pair is no part of it, unlike the official SDKs' `clientID` and `clientSecret`: it is
/// the [`Client`](crate::Client)'s. Whoever has several makes a client for each.
#[derive(Debug, Clone)]
pub struct CreateAccessToken {
    grant_type: GrantType,
    scope: Option<Scopes>,
    refresh_token: Option<RefreshToken>,
    retries: Option<RetryConfig>,
}

impl CreateAccessToken {
    /// A request of this type.
    #[must_use]
    pub fn new(grant_type: GrantType) -> Self {
        Self {
            grant_type,
            scope: None,
            refresh_token: None,
            retries: None,
        }
    }

    /// A new token with these scopes.
    #[must_use]
    pub fn client_credentials(scope: impl Into<Scopes>) -> Self {
        Self::new(GrantType::ClientCredentials).with_scope(scope)
    }

    /// A new access token for a refresh token.
    #[must_use]
    pub fn refresh(refresh_token: &RefreshToken) -> Self {
        Self::new(GrantType::RefreshToken).with_refresh_token(refresh_token.clone())
    }

    /// Sets the scopes. Required for [`GrantType::ClientCredentials`].
    #[must_use]
    pub fn with_scope(mut self, scope: impl Into<Scopes>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Sets the refresh token. Required for [`GrantType::RefreshToken`], and sent with it only:
    /// the official SDKs' example sets it with [`GrantType::ClientCredentials`] too.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: RefreshToken) -> Self {
        self.refresh_token = Some(refresh_token);
        self
    }

    /// Sets what is sent again, for this call; otherwise as the client says.
    #[must_use]
    pub fn with_retries(mut self, retries: RetryConfig) -> Self {
        self.retries = Some(retries);
        self
    }

    pub(super) async fn send(self, client: &oauth_core::Client) -> Result<TokenSet, Error> {
        let scope = self.scope.filter(|scope| !scope.is_empty());
        let grant: Box<dyn grant::Grant> = match (self.grant_type, scope, self.refresh_token) {
            (GrantType::ClientCredentials, Some(scope), _) => {
                Box::new(grant::ClientCredentials::new().with_scopes(scope))
            }
            (GrantType::RefreshToken, scope, Some(token)) => {
                let grant = grant::RefreshToken::new(token);
                Box::new(match scope {
                    Some(scope) => grant.with_scopes(scope),
                    None => grant,
                })
            }
            (GrantType::ClientCredentials, None, _) => {
                return Err(usage("client_credentials needs a scope"));
            }
            (GrantType::RefreshToken, _, None) => {
                return Err(usage("refresh_token needs a refresh token"));
            }
        };
        let mut exchange = client.exchange(&*grant);
        if let Some(retries) = &self.retries {
            exchange = exchange.retry(RetryPolicy::from(retries));
        }
        Ok(exchange.await?)
    }
}

fn usage(message: &'static str) -> Error {
    oauth_core::Error::usage(message).into()
}
