//! The revocation endpoint (RFC 7009).

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use secrecy::SecretString;

use super::{Call, Client};
use crate::{AccessToken, EndpointKind, Error, Params, RefreshToken, Replay, RetryPolicy};

/// Which kind of token it is (RFC 7009 §2.1): a hint, the server looks further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
}

impl TokenTypeHint {
    /// The value of `token_type_hint`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// A revocation request; `.await` sends it.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Revoke<'a> {
    client: &'a Client,
    token: SecretString,
    hint: Option<TokenTypeHint>,
    retry: Option<RetryPolicy>,
}

impl Client {
    /// Tells the server that an access token is no longer needed (RFC 7009 §2.1). A token that it
    /// does not know is as good as revoked.
    ///
    /// # Errors
    /// `.await` gives an error when the token may still be valid: after a 503 try again.
    pub fn revoke(&self, token: &AccessToken) -> Revoke<'_> {
        self.revoke_text(token.as_secret().clone(), Some(TokenTypeHint::AccessToken))
    }

    /// Tells the server that a refresh token, and what came of it, is no longer needed
    /// (RFC 7009 §2.1).
    ///
    /// # Errors
    /// As [`Client::revoke`].
    pub fn revoke_refresh_token(&self, token: &RefreshToken) -> Revoke<'_> {
        self.revoke_text(token.as_secret().clone(), Some(TokenTypeHint::RefreshToken))
    }

    /// As the others, for a token of an unknown kind.
    ///
    /// # Errors
    /// As [`Client::revoke`].
    pub fn revoke_text(&self, token: SecretString, hint: Option<TokenTypeHint>) -> Revoke<'_> {
        Revoke {
            client: self,
            token,
            hint,
            retry: None,
        }
    }
}

impl<'a> Revoke<'a> {
    /// Sets what is tried again, for this call.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    async fn send(self) -> Result<(), Error> {
        let endpoint = EndpointKind::Revocation;
        let client = self.client;
        let url = client.endpoint(client.provider().endpoints().revocation(), endpoint)?;
        let mut params = Params::new();
        params.push_secret("token", &self.token);
        if let Some(hint) = self.hint {
            params.push("token_type_hint", hint.as_str());
        }
        let mut call = Call::new(endpoint, Replay::Always).with_secret(self.token);
        call.retry = self.retry;
        // Whatever body a success has means nothing (RFC 7009 §2.2).
        client.post(url, &params, None, &call).await.map(|_| ())
    }
}

impl<'a> IntoFuture for Revoke<'a> {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
