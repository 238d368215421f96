//! The client of an authorization server: one method per endpoint, a file for each.

mod authorize;
mod builder;
mod call;
mod device;
#[cfg(feature = "openid")]
mod id_token;
mod introspect;
mod metadata;
#[cfg(feature = "dpop")]
mod prove;
mod resource;
mod revoke;
mod token;
mod userinfo;

use std::{fmt, sync::Arc};

use crate::{
    ClientAuthentication, EndpointKind, EndpointUrl, Error, Limits, Params, Provider, RetryPolicy,
    Scopes, Transport, clock::Clock, provider::EndpointRequest, random::Random,
};
pub use authorize::{AuthorizationRequest, PendingAuthorization};
pub use builder::ClientBuilder;
pub use call::Call;
pub use device::DeviceAuthorization;
pub use introspect::Introspection;
pub use metadata::ServerMetadata;
pub use revoke::{Revoke, TokenTypeHint};
pub use token::Exchange;
pub use userinfo::UserInfo;

/// A client of an authorization server. A plain type, cheap to clone, `Send + Sync`: it fits into
/// a struct field.
///
/// ```
/// use oauth_core::{Client, Endpoints, GenericProvider, grant::ClientCredentials};
///
/// struct Service {
///     client: Client,
/// }
///
/// # #[cfg(feature = "rustls")]
/// async fn call() -> Result<(), oauth_core::Error> {
///     let provider = GenericProvider::new(Endpoints::new("https://id.example.com/token")?);
///     let client = Client::builder(provider, "client-id").client_secret("secret").build()?;
///     let service = Service { client };
///     let token = service.client.exchange(&ClientCredentials::new()).await?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    provider: Arc<dyn Provider>,
    authentication: ClientAuthentication,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    limits: Limits,
    retry: RetryPolicy,
    #[cfg(feature = "dpop")]
    dpop: Option<crate::dpop::Dpop>,
    #[cfg(feature = "openid")]
    keys: crate::openid::KeyCache,
}

impl Client {
    /// A client `client_id` of `provider`.
    pub fn builder(provider: impl Provider, client_id: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(Arc::new(provider), client_id.into())
    }

    /// As [`Client::builder`], for a provider that is shared.
    pub fn builder_for(provider: Arc<dyn Provider>, client_id: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(provider, client_id.into())
    }

    /// A builder for another client of the same server: with this one's provider, transport, clock,
    /// randomness, limits and retry policy, without its secret.
    pub fn sibling(&self, client_id: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(Arc::clone(&self.0.provider), client_id.into())
            .shared_transport(Arc::clone(&self.0.transport))
            .clock(Arc::clone(&self.0.clock))
            .random(Arc::clone(&self.0.random))
            .limits(self.0.limits)
            .retry(self.0.retry.clone())
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &dyn Provider {
        &*self.0.provider
    }

    /// What one request may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// What is tried again.
    #[must_use]
    pub fn retry_policy(&self) -> &RetryPolicy {
        &self.0.retry
    }

    /// The client's id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.0.authentication.client_id()
    }

    /// Whether it has neither a secret nor another way to authenticate.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.0.authentication.is_public()
    }

    /// Where it takes the time from.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Where it takes randomness from.
    #[must_use]
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.0.random
    }

    /// A request to one of the provider's endpoints, in the provider's shape and with the client
    /// authenticated. For endpoints that have no method here.
    ///
    /// # Errors
    /// A usage error when it cannot be built.
    pub fn request(
        &self,
        endpoint: EndpointKind,
        url: &EndpointUrl,
        params: Params,
    ) -> Result<http::Request<bytes::Bytes>, Error> {
        self.request_with(endpoint, url, params, None)
    }

    fn request_with(
        &self,
        endpoint: EndpointKind,
        url: &EndpointUrl,
        params: Params,
        scopes: Option<&Scopes>,
    ) -> Result<http::Request<bytes::Bytes>, Error> {
        let client = self.0.authentication.clone();
        if client.is_for_one_server() && !self.is_own(url) {
            return Err(Error::usage(
                "a JWT that authenticates the client at its server was to go to another one; that one could use it in its place",
            )
            .at(endpoint));
        }
        let request = EndpointRequest::new(endpoint, url, client, params).with_scopes(scopes);
        self.0
            .provider
            .request(request)
            .map_err(|error| error.at(endpoint))
    }

    /// Whether `url` is at an origin where the provider has an endpoint.
    fn is_own(&self, url: &EndpointUrl) -> bool {
        let origin = url.as_url().origin();
        let endpoints = self.provider().endpoints();
        endpoints.all().any(|own| own.as_url().origin() == origin)
    }

    fn endpoint<'a>(
        &self,
        url: Option<&'a EndpointUrl>,
        endpoint: EndpointKind,
    ) -> Result<&'a EndpointUrl, Error> {
        url.ok_or_else(|| {
            Error::usage("this provider has no such endpoint, or its URL was not given")
                .at(endpoint)
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("provider", &self.0.provider.name())
            .field("authentication", &self.0.authentication)
            .field("transport", &self.0.transport)
            .finish_non_exhaustive()
    }
}
