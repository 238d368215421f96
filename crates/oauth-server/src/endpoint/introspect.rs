//! The introspection endpoint (RFC 7662), and the same question asked inside the process.

use bytes::Bytes;
use http::Request;

use crate::{
    AccessTokenRecord, AuthorizationServer, Client, ContextError, IntrospectResponse, OAuthError,
    RefreshTokenRecord, TokenHash,
};

impl AuthorizationServer {
    /// Says what is known about a token. A client may ask about its own tokens; a resource
    /// server registered with [`introspect_any`](crate::ClientBuilder::introspect_any) about all
    /// access tokens.
    ///
    /// # Errors
    ///
    /// `invalid_request` without a token, `invalid_client` without the right credentials of a
    /// confidential client; 503 when a context fails.
    pub async fn introspect(
        &self,
        request: &Request<Bytes>,
    ) -> Result<IntrospectResponse, OAuthError> {
        self.guarded(async {
            let parameters = self.posted(request)?;
            let client = self.authenticate(request, &parameters).await?;
            if client.is_public() {
                return Err(OAuthError::invalid_client(false));
            }
            let token = parameters.get("token");
            let token = token.ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
            Ok(self.introspect_for(&client, token).await?)
        })
        .await
    }

    /// The record of a live access token: for resource servers in the same process.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn access_token(
        &self,
        token: &str,
    ) -> Result<Option<AccessTokenRecord>, ContextError> {
        let record = self.access_tokens().get(&TokenHash::of(token)).await?;
        match record.filter(|record| self.now() < record.expires_at) {
            Some(record) if self.client(record.client_id()).await?.is_some() => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    /// The record of a refresh token that can be used.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn refresh_token(
        &self,
        token: &str,
    ) -> Result<Option<RefreshTokenRecord>, ContextError> {
        let record = self
            .access_tokens()
            .get_refresh(&TokenHash::of(token))
            .await?;
        match record.filter(|record| !record.consumed && self.now() < record.expires_at) {
            Some(record) if self.client(record.client_id()).await?.is_some() => Ok(Some(record)),
            _ => Ok(None),
        }
    }

    async fn introspect_for(
        &self,
        client: &Client,
        token: &str,
    ) -> Result<IntrospectResponse, ContextError> {
        let entitled = |owner: &str| client.introspects_any() || owner == client.id();
        let access = self.access_token(token).await?;
        if let Some(record) = access.filter(|record| entitled(record.client_id())) {
            let AccessTokenRecord {
                grant,
                issued_at,
                expires_at,
                ..
            } = record;
            let bearer = Some("Bearer");
            return Ok(IntrospectResponse::active(
                self.issuer(),
                grant,
                bearer,
                issued_at,
                expires_at,
            ));
        }
        // Only its owner learns that a refresh token lives: a resource that asks no more than
        // whether a token is active would take it for an access token.
        let refresh = self.refresh_token(token).await?;
        if let Some(record) = refresh.filter(|record| record.client_id() == client.id()) {
            let RefreshTokenRecord {
                grant,
                issued_at,
                expires_at,
                ..
            } = record;
            return Ok(IntrospectResponse::active(
                self.issuer(),
                grant,
                None,
                issued_at,
                expires_at,
            ));
        }
        Ok(IntrospectResponse::inactive())
    }
}
