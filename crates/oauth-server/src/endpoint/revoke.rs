//! The revocation endpoint (RFC 7009), and revocation inside the process.

use bytes::Bytes;
use http::Request;

use crate::{AuthorizationServer, ContextError, ErrorCode, OAuthError, TokenHash};

impl AuthorizationServer {
    /// Revokes a token of the client that asks. An access token dies alone; with a refresh token
    /// dies everything of its grant. A token that is not known is a success (RFC 7009 §2.2).
    ///
    /// # Errors
    ///
    /// `invalid_request` without a token, `invalid_client` without authentication,
    /// `unauthorized_client` for a token of another client; 503 when a context fails.
    pub async fn revoke(&self, request: &Request<Bytes>) -> Result<(), OAuthError> {
        self.guarded(async {
            let parameters = self.posted(request)?;
            let client = self.authenticate(request, &parameters).await?;
            let token = parameters.get("token");
            let token = token.ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
            let hash = TokenHash::of(token);
            // Both, whatever the first says: the time tells nobody whose a token is.
            let access = self.access_tokens().get(&hash).await?;
            let refresh = self.access_tokens().get_refresh(&hash).await?;
            let is_access = access.is_some();
            let grant = access.map(|record| record.grant);
            match grant.or(refresh.map(|record| record.grant)) {
                None => Ok(()),
                Some(grant) if *grant.client_id != *client.id() => match client.is_public() {
                    true => Ok(()),
                    false => Err(OAuthError::new(
                        ErrorCode::UnauthorizedClient,
                        "the token was issued to another client",
                    )),
                },
                Some(_) if is_access => Ok(self.access_tokens().revoke(&hash).await?),
                Some(grant) => Ok(self.revoke_grant(&grant.id).await?),
            }
        })
        .await
    }

    /// Revokes a token, whoever it was issued to: an access token alone, a refresh token with
    /// everything of its grant. False if it is not known.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn revoke_token(&self, token: &str) -> Result<bool, ContextError> {
        let hash = TokenHash::of(token);
        if self.access_tokens().get(&hash).await?.is_some() {
            self.access_tokens().revoke(&hash).await?;
            return Ok(true);
        }
        match self.access_tokens().get_refresh(&hash).await? {
            Some(record) => self.revoke_grant(&record.grant.id).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Revokes the access tokens of this client, or of all; refresh tokens stay. Says how many.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn revoke_access_tokens(
        &self,
        client_id: Option<&str>,
    ) -> Result<usize, ContextError> {
        self.access_tokens().revoke_access_tokens(client_id).await
    }

    /// Revokes the access and refresh tokens of this client (or all) and this subject (or all),
    /// and the codes that would become tokens. Says how many tokens they were. The contexts in
    /// memory look through all of their tokens for that, and everybody else waits meanwhile.
    ///
    /// # Errors
    ///
    /// When a context fails.
    pub async fn revoke_grants(
        &self,
        client_id: Option<&str>,
        subject: Option<&str>,
    ) -> Result<usize, ContextError> {
        let until = self.revocation_remembered_until()?;
        let tokens = self.access_tokens();
        // First what is on its way to a token: whoever redeems it now finds its grant revoked.
        let mut begun = self
            .authorization_codes()
            .revoke(client_id, subject)
            .await?;
        begun.extend(self.device_codes().revoke(client_id, subject).await?);
        for grant in &begun {
            tokens.revoke_grant(grant, until).await?;
        }
        tokens.revoke_grants(client_id, subject, until).await
    }
}
