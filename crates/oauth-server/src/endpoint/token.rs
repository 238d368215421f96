//! The token endpoint (RFC 6749 §3.2).

use std::pin::pin;

use bytes::Bytes;
use http::Request;

use crate::{AuthorizationServer, OAuthError, Source, TokenResponse, grant::TokenRequest};

impl AuthorizationServer {
    /// Answers a token request.
    ///
    /// # Errors
    ///
    /// What RFC 6749 §5.2 and the RFC of the grant name; 503 when a context fails, 500 when one
    /// panics.
    pub async fn token(&self, request: &Request<Bytes>) -> Result<TokenResponse, OAuthError> {
        let endpoint = pin!(async {
            let parameters = self.posted(request)?;
            let client = self.authenticate(request, &parameters).await?;
            let request = TokenRequest {
                server: self,
                client: &client,
                parameters: &parameters,
                source: Source::of(request),
                jkt: self.dpop_at_token_endpoint(request, &client).await?,
            };
            request.grant().await
        });
        self.guarded(endpoint).await
    }
}
