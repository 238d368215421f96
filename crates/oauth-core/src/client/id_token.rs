//! Id tokens (OpenID Connect Core §2), and the keys that they are signed with.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, header};

use super::{Call, Client};
use crate::{
    EndpointKind, Error, Replay, TokenSet,
    openid::{Claims, Expected, IdTokenVerifier, Jwk},
};

impl Client {
    /// The claims of the id token in an answer, if everything about it is right; `at_hash` is
    /// compared with the access token beside it.
    ///
    /// # Errors
    /// A usage error when the provider names no issuer or no keys; a protocol error when the
    /// answer has no id token, or one that is wrong; what can happen when the keys are fetched.
    pub async fn verify_id_token(
        &self,
        token: &TokenSet,
        expected: &Expected,
    ) -> Result<Claims, Error> {
        use crate::Token;

        let id_token = token
            .id_token()
            .ok_or_else(|| Error::protocol("the answer has no id token"))?;
        let expected = expected
            .clone()
            .with_access_token(token.access_token().clone());
        self.id_token_verifier()?.verify(id_token, &expected).await
    }

    /// A verifier of the server's id tokens, for other settings. It shares the client's copy of
    /// the server's keys.
    ///
    /// # Errors
    /// A usage error when the provider names no issuer or no keys.
    pub fn id_token_verifier(&self) -> Result<IdTokenVerifier, Error> {
        let endpoints = self.provider().endpoints();
        let issuer = endpoints.issuer().ok_or_else(|| {
            Error::usage("the provider's issuer is not known, so that no id token can be verified")
        })?;
        self.endpoint(endpoints.jwks(), EndpointKind::Jwks)?;
        Ok(IdTokenVerifier::new(self.clone(), issuer.to_owned()))
    }

    /// The server's keys that `fits` is true for.
    pub(crate) async fn server_keys(
        &self,
        fits: impl Fn(&Jwk) -> bool + Send + Sync,
    ) -> Result<Vec<Arc<Jwk>>, Error> {
        let clock = &*self.0.clock;
        let found = self.0.keys.find(clock, fits, self.fetch_keys()).await;
        found.map_err(|error| error.at(EndpointKind::Jwks))
    }

    async fn fetch_keys(&self) -> Result<http::Response<Bytes>, Error> {
        let endpoint = EndpointKind::Jwks;
        let url = self.endpoint(self.provider().endpoints().jwks(), endpoint)?;
        let request = http::Request::get(url.as_str())
            .header(
                header::ACCEPT,
                HeaderValue::from_static("application/jwk-set+json, application/json"),
            )
            .body(Bytes::new())
            .map_err(|_| Error::usage("the endpoint URL is not one that HTTP can ask for"))?;
        self.send(request, Call::new(endpoint, Replay::Always))
            .await
    }
}
