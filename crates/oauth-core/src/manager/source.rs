//! Where a first token comes from, when the store has none and nothing can be refreshed.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    Capability, Client, Error, RetryPolicy, TokenSet,
    grant::{ClientCredentials, Grant},
    spans,
    store::{Subject, TokenRequest},
};

/// Where a first token comes from when nothing can be refreshed.
///
/// A source that needs a token itself gets it from another manager: with the same one, as many
/// waiting sources as requests may run at once would wait for each other.
///
/// ```
/// use async_trait::async_trait;
/// use oauth_core::{Client, Error, TokenSet, grant::Extension};
/// use oauth_core::manager::TokenSource;
/// use oauth_core::store::{Subject, TokenRequest};
///
/// /// Exchanges an assertion that another service signs.
/// #[derive(Debug)]
/// struct Assertions;
///
/// #[async_trait]
/// impl TokenSource for Assertions {
///     async fn token(
///         &self,
///         client: &Client,
///         subject: &Subject,
///         request: &TokenRequest,
///     ) -> Result<Option<TokenSet>, Error> {
///         let Some(user) = subject.user_id() else { return Ok(None) };
///         let grant = Extension::new("urn:ietf:params:oauth:grant-type:jwt-bearer")
///             .with_secret_param("assertion", format!("signed for {user}"));
///         oauth_core::manager::exchange(client, &grant, request).await.map(Some)
///     }
/// }
/// ```
#[async_trait]
pub trait TokenSource: Debug + Send + Sync + 'static {
    /// A new token for `subject`; `None` when there is no way to one without the user.
    ///
    /// # Errors
    /// What the server or the way to it said.
    async fn token(
        &self,
        client: &Client,
        subject: &Subject,
        request: &TokenRequest,
    ) -> Result<Option<TokenSet>, Error>;
}

/// The client credentials grant (RFC 6749 §4.4) for the client itself; nothing for users.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClientCredentialsSource;

#[async_trait]
impl TokenSource for ClientCredentialsSource {
    async fn token(
        &self,
        client: &Client,
        subject: &Subject,
        request: &TokenRequest,
    ) -> Result<Option<TokenSet>, Error> {
        let can = client.provider().capabilities();
        if *subject != Subject::Client || !can.contains(Capability::ClientCredentials) {
            return Ok(None);
        }
        let mut grant = ClientCredentials::new();
        if let Some(scopes) = request.requested_scopes() {
            grant = grant.with_scopes(scopes.clone());
        }
        exchange(client, &grant, request).await.map(Some)
    }
}

/// Exchanges `grant` with the parameters of `request` beside its scopes.
///
/// # Errors
/// As [`Client::exchange`].
pub async fn exchange(
    client: &Client,
    grant: &dyn Grant,
    request: &TokenRequest,
) -> Result<TokenSet, Error> {
    exchange_within(client, grant, request, client.retry_policy().clone()).await
}

/// As [`exchange`], trying again as `retry` says.
pub(crate) async fn exchange_within(
    client: &Client,
    grant: &dyn Grant,
    request: &TokenRequest,
    retry: RetryPolicy,
) -> Result<TokenSet, Error> {
    let mut exchange = client.exchange(grant).retry(retry);
    for (name, value) in request.params() {
        exchange = exchange.param(name, value);
    }
    spans::exchange(grant.grant_type(), exchange.into_future()).await
}
