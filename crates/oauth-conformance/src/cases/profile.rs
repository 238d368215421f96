//! The target's provider with one more bend: what a profile may say of its server's answers.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::HeaderMap;
use oauth_core::{
    AccessToken, Capabilities, Client, ClientAuthMethod, EndpointKind, EndpointRequest, Endpoints,
    Error, OAuthError, Provider, TokenContext, TokenReader, TokenSet,
};

use crate::{Context, Failure};

/// How a profile sets its reader.
type Set = fn(TokenReader<'_>) -> TokenReader<'_>;

/// The target's provider, but for the way it reads token answers.
#[derive(Debug)]
struct Profile {
    inner: Arc<dyn Provider>,
    set: Set,
}

/// The target's confidential client with a profile of its own.
pub(super) fn client(cx: &Context, base_url: &str, set: Set) -> Result<Client, Failure> {
    let credentials = cx.credentials();
    let provider = Arc::new(Profile {
        inner: cx.target().provider(base_url)?,
        set,
    });
    Ok(cx
        .builder_for(provider, &credentials.client_id)
        .client_secret(credentials.client_secret)
        .build()?)
}

impl Provider for Profile {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn endpoints(&self) -> &Endpoints {
        self.inner.endpoints()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn client_authentication(&self) -> ClientAuthMethod {
        self.inner.client_authentication()
    }

    fn request(&self, request: EndpointRequest<'_>) -> Result<http::Request<Bytes>, Error> {
        self.inner.request(request)
    }

    fn token_response(
        &self,
        response: &http::Response<Bytes>,
        context: &TokenContext,
    ) -> Result<TokenSet, Error> {
        (self.set)(TokenReader::new(context)).read(response)
    }

    fn error_response(
        &self,
        endpoint: EndpointKind,
        response: &http::Response<Bytes>,
    ) -> Option<OAuthError> {
        self.inner.error_response(endpoint, response)
    }

    fn authorize_request(&self, token: &AccessToken, headers: &mut HeaderMap) -> Result<(), Error> {
        self.inner.authorize_request(token, headers)
    }

    fn retry_after(&self, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
        self.inner.retry_after(headers, now)
    }
}
