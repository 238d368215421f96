//! Proofs of the client's key (RFC 9449) in what the client sends itself.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::Client;
use crate::{AccessToken, EndpointKind, EndpointUrl, Error};

impl Client {
    /// A proof of the client's key for one request (RFC 9449 §4), the value of its header `DPoP`:
    /// for requests that another HTTP client sends. [`Client::authorize`] puts token and proof into
    /// one.
    ///
    /// # Errors
    /// A usage error when the client has no key, or `url` is no address of a request.
    pub fn dpop_proof(
        &self,
        method: &Method,
        url: &str,
        token: Option<&AccessToken>,
    ) -> Result<HeaderValue, Error> {
        let url = EndpointUrl::parse(url)?;
        let dpop = self
            .0
            .dpop
            .as_ref()
            .ok_or_else(|| Error::usage("the client has no key to bind tokens to"))?;
        let token = token.map(AccessToken::expose_secret);
        dpop.proof(method, url.as_url(), token, &*self.0.clock, &*self.0.random)
    }

    /// Keeps the nonce that the server at `url` named in the headers of an answer (RFC 9449 §8.2):
    /// for answers that another HTTP client got. Whether there was one; after a refusal with
    /// `use_dpop_nonce` the request may then be sent once more, with a new proof.
    pub fn remember_dpop_nonce(&self, url: &str, headers: &HeaderMap) -> bool {
        match (&self.0.dpop, Url::parse(url)) {
            (Some(dpop), Ok(url)) => dpop.remember(&url, headers),
            _ => false,
        }
    }

    /// Whether requests for tokens carry a proof, so that tokens may be bound.
    pub(super) fn binds_tokens(&self) -> bool {
        self.0.dpop.is_some()
    }

    pub(super) fn demands_bound_tokens(&self) -> bool {
        self.0
            .dpop
            .as_ref()
            .is_some_and(crate::dpop::Dpop::is_demanded)
    }

    /// Adds a proof to a request for tokens, and to one with a bound token; whether it did.
    pub(super) fn prove<B>(
        &self,
        request: &mut http::Request<B>,
        endpoint: EndpointKind,
        url: &EndpointUrl,
    ) -> Result<bool, Error> {
        let Some(dpop) = &self.0.dpop else {
            return Ok(false);
        };
        let bound = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("DPoP "));
        if bound.is_none() && endpoint != EndpointKind::Token {
            return Ok(false);
        }
        let (clock, random) = (&*self.0.clock, &*self.0.random);
        let proof = dpop
            .proof(request.method(), url.as_url(), bound, clock, random)
            .map_err(|error| error.at(endpoint))?;
        request.headers_mut().insert("dpop", proof);
        Ok(true)
    }

    /// Keeps the nonce in an answer of the server at `url`; whether there was one.
    pub(super) fn new_nonce(
        &self,
        url: &EndpointUrl,
        response: Option<&http::Response<Bytes>>,
    ) -> bool {
        match (&self.0.dpop, response) {
            (Some(dpop), Some(response)) => dpop.remember(url.as_url(), response.headers()),
            _ => false,
        }
    }
}
