//! The introspection endpoint (RFC 7662), and the same question asked inside the process.

use std::pin::pin;

use bytes::Bytes;
use http::Request;

use crate::{
    AccessTokenRecord, AuthorizationServer, Client, ContextError, IntrospectResponse, OAuthError,
    RefreshTokenRecord, TokenHash,
};

impl AuthorizationServer {
    /// Says what is known about a token. A client may ask about its own tokens; a resource
    /// server registered with [`introspect_any`](crate::ClientBuilder::introspect_any) about all
    /// access tokens but those that are limited to resources (RFC 8707) of which none is its own.
    ///
    /// # Errors
    ///
    /// `invalid_request` without a token, `invalid_client` without the right credentials of a
    /// confidential client; 429 after too many tokens that are not active; 503 when a context
    /// fails.
    pub async fn introspect(
        &self,
        request: &Request<Bytes>,
    ) -> Result<IntrospectResponse, OAuthError> {
        let endpoint = pin!(async {
            let parameters = self.posted(request)?;
            let client = self.authenticate(request, &parameters).await?;
            if client.is_public() {
                return Err(OAuthError::invalid_client(false));
            }
            let token = parameters.get("token");
            let token = token.ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
            self.check_introspection(client.id())?;
            let answer = self.introspect_for(&client, token).await?;
            if !answer.is_active() {
                self.introspection_missed(client.id())?;
            }
            Ok(answer)
        });
        self.guarded(endpoint).await
    }

    /// The record of a live access token: for resource servers in the same process. Whoever
    /// takes one whose `jkt` is set asks for a proof of that key, as
    /// [`authorize_access`](Self::authorize_access) does.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn access_token(
        &self,
        token: &str,
    ) -> Result<Option<AccessTokenRecord>, ContextError> {
        let live = self.live_access_token(token).await?;
        Ok(live.map(|(record, _)| record))
    }

    /// A live access token and its client.
    pub(crate) async fn live_access_token(
        &self,
        token: &str,
    ) -> Result<Option<(AccessTokenRecord, Client)>, ContextError> {
        let record = self.access_tokens().get(&TokenHash::of(token)).await?;
        let Some(record) = record.filter(|record| self.now() < record.expires_at) else {
            return Ok(None);
        };
        let client = self.client(record.client_id()).await?;
        Ok(client.map(|client| (record, client)))
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
        let access = self.access_token(token).await?;
        if let Some(record) = access.filter(|record| may_see(client, record)) {
            return Ok(IntrospectResponse::access(self.issuer(), record));
        }
        // Only its owner learns that a refresh token lives: a resource that asks no more than
        // whether a token is active would take it for an access token.
        let refresh = self.refresh_token(token).await?;
        if let Some(record) = refresh.filter(|record| record.client_id() == client.id()) {
            return Ok(IntrospectResponse::refresh(self.issuer(), record));
        }
        Ok(IntrospectResponse::inactive())
    }
}

/// A resource server learns nothing of tokens that are limited to others (RFC 7662 §4, RFC 8707 §2).
fn may_see(client: &Client, record: &AccessTokenRecord) -> bool {
    let audience = record.audience();
    let meant = audience.is_empty() || audience.iter().any(|it| client.allows_resource(it));
    record.client_id() == client.id() || (client.introspects_any() && meant)
}
