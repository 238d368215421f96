//! The token endpoint (RFC 6749 §3.2): any grant, one method.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
};

use secrecy::SecretString;

use super::{Call, Client};
use crate::{
    EndpointKind, Error, Params, RetryPolicy, TokenContext, TokenSet,
    grant::{Grant, check_resource},
    params::check_extra,
};

/// A token request; `.await` sends it.
#[derive(Debug)]
#[must_use = "nothing is sent before it is awaited"]
pub struct Exchange<'a> {
    client: &'a Client,
    grant: &'a dyn Grant,
    extra: Params,
    retry: Option<RetryPolicy>,
}

impl Client {
    /// Asks for tokens with `grant`.
    ///
    /// A refresh whose answer brings no new refresh token keeps the one that was sent
    /// (RFC 6749 §6).
    ///
    /// # Errors
    /// `.await` gives an OAuth error when the server refuses, and the other
    /// [kinds](crate::ErrorKind) for what can happen on the way.
    ///
    /// ```
    /// # async fn call(client: oauth_core::Client) -> Result<(), oauth_core::Error> {
    /// use oauth_core::grant::ClientCredentials;
    ///
    /// let token = client.exchange(&ClientCredentials::new()).param("audience", "https://api").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn exchange<'a>(&'a self, grant: &'a dyn Grant) -> Exchange<'a> {
        Exchange {
            client: self,
            grant,
            extra: Params::new(),
            retry: None,
        }
    }
}

impl<'a> Exchange<'a> {
    /// Adds a parameter of the server's own. The names of protocol parameters are refused.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name: String = name.into();
        self.extra.push(name, value);
        self
    }

    /// Adds a parameter of the server's own that may not be shown: a one-time password.
    pub fn secret_param(mut self, name: impl Into<String>, value: impl Into<SecretString>) -> Self {
        let name: String = name.into();
        self.extra.push_secret(name, &value.into());
        self
    }

    /// Names a protected resource the token is for (RFC 8707 §2): an absolute URI without a
    /// fragment. May come several times.
    pub fn resource(self, uri: impl Into<String>) -> Self {
        self.param("resource", uri)
    }

    /// Sets what is tried again, for this call.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    async fn send(self) -> Result<TokenSet, Error> {
        let Self {
            client,
            grant,
            extra,
            retry,
        } = self;
        let endpoint = EndpointKind::Token;
        check(client, grant, &extra).map_err(|error| error.at(endpoint))?;
        let mut params = Params::new();
        params.push("grant_type", grant.grant_type());
        grant.write(&mut params);
        params.append(&extra);

        let mut call = Call::new(endpoint, grant.replay());
        call.retry = retry;
        call.secrets = params.secrets().cloned().collect();
        let provider = client.provider();
        let url = provider.endpoints().token();
        let answer = client.post(url, &params, grant.scopes(), &call).await?;
        call.secrets.extend(answer.assertion);

        let mut context = TokenContext::new(answer.issued_at);
        context.requested_scopes = grant.scopes().cloned();
        context.refresh_token = grant.refresh_token().cloned();
        context.dpop = client.binds_tokens();
        context.token_exchange = grant.is_token_exchange();
        provider
            .token_response(&answer.response, &context)
            .and_then(|token| client.check_bound(token))
            .map_err(|error| client.finish(client.describe(error, &answer.response), &call))
    }
}

impl<'a> IntoFuture for Exchange<'a> {
    type Output = Result<TokenSet, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

fn check(client: &Client, grant: &dyn Grant, extra: &Params) -> Result<(), Error> {
    for name in extra.names() {
        check_extra(name)?;
    }
    for resource in extra.values("resource") {
        check_resource(resource)?;
    }
    if grant.needs_client_authentication() && client.is_public() {
        return Err(Error::usage(
            "this grant is for clients with a secret (RFC 6749 section 4.4); give the client one",
        ));
    }
    grant.check()
}
