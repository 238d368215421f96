//! The refresh token grant (RFC 6749 §6, RFC 9700 §4.14).

use secrecy::ExposeSecret;

use super::{GrantType, TokenRequest};
use crate::{
    AccessTokenRecord, ContextError, ErrorCode, OAuthError, RefreshRotation, RefreshTokenRecord,
    Rotation, Scope, SealedToken, TokenHash, TokenResponse, issue::later, parameters::Parameters,
};

pub(super) async fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { server, client, .. } = request;
    let token = request.required("refresh_token", "refresh_token is missing")?;
    let hash = TokenHash::of(token);

    let record = server.access_tokens().get_refresh(&hash).await?;
    let record = record
        .filter(|record| record.client_id() == client.id())
        .ok_or_else(refused)?;
    // Before anything else of the request is judged: a thief may err elsewhere, too.
    if record.consumed {
        return again(request, token, &record).await;
    }
    if record.expires_at <= server.now() {
        return Err(refused());
    }
    let (access_token, access, id_token) = new_tokens(request, &record).await?;
    let mut used = record.clone();
    let (refresh_token, successor) = match client.refresh_rotation() {
        RefreshRotation::Keep => {
            used.expires_at = server.refresh_token_end(client, record.grant_expires_at)?;
            (token.to_owned(), None)
        }
        RefreshRotation::Rotate | RefreshRotation::OneTime => {
            let (grant, end) = (record.grant.clone(), record.grant_expires_at);
            let jkt = request.jkt.as_deref();
            let (successor, stored) = server.new_refresh_token(client, grant, end, jkt)?;
            used.consumed = true;
            let sealed = || SealedToken::seal(&successor, token, stored.issued_at);
            used.successor = (!request.grace().is_zero()).then(sealed);
            (successor, Some(stored))
        }
    };
    let answer = TokenResponse::new(access_token, &access, Some(refresh_token), id_token);
    let tokens = server.access_tokens();
    match tokens.rotate(&used, &access, successor.as_ref()).await? {
        Rotation::Done => {
            server.purge_some(access.issued_at).await;
            Ok(answer)
        }
        Rotation::Consumed => {
            let record = match request.grace().is_zero() {
                true => record,
                false => tokens.get_refresh(&hash).await?.ok_or_else(refused)?,
            };
            again(request, token, &record).await
        }
        Rotation::Gone => Err(refused()),
    }
}

/// A consumed token: within the grace window its client gets the successor again, as long as
/// nobody has used that. Otherwise one of two holds a stolen token, thief or owner, and nobody
/// can tell which.
async fn again(
    request: &TokenRequest<'_>,
    token: &str,
    record: &RefreshTokenRecord,
) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { server, client, .. } = request;
    if let Some(successor) = request.successor(token, record).await? {
        let (access_token, access, id_token) = new_tokens(request, record).await?;
        let answer = TokenResponse::new(access_token, &access, Some(successor), id_token);
        server.access_tokens().insert(&access, None).await?;
        server.purge_some(access.issued_at).await;
        return Ok(answer);
    }
    if client.refresh_rotation() == RefreshRotation::Rotate {
        tracing::warn!(client_id = client.id(), "a refresh token was used again");
        server.revoke_grant(&record.grant.id).await?;
    }
    Err(refused())
}

impl TokenRequest<'_> {
    fn grace(&self) -> std::time::Duration {
        let grace = self.client.refresh_grace();
        grace.unwrap_or(self.server.refresh_grace())
    }

    /// The unused successor of a token that was consumed a moment ago.
    async fn successor(
        &self,
        token: &str,
        record: &RefreshTokenRecord,
    ) -> Result<Option<String>, ContextError> {
        let server = self.server;
        let Some(sealed) = &record.successor else {
            return Ok(None);
        };
        if later(sealed.sealed_at(), self.grace())? <= server.now() {
            return Ok(None);
        }
        let Some(successor) = sealed.open(token) else {
            return Ok(None);
        };
        let successor = successor.expose_secret();
        let stored = server.refresh_token(successor).await?;
        let same_grant = |stored: &RefreshTokenRecord| stored.grant.id == record.grant.id;
        Ok(stored.filter(same_grant).map(|_| successor.to_owned()))
    }
}

/// An access token and, where there was one at first, an ID token.
async fn new_tokens(
    request: &TokenRequest<'_>,
    record: &RefreshTokenRecord,
) -> Result<(String, AccessTokenRecord, Option<String>), OAuthError> {
    let TokenRequest { server, client, .. } = request;
    if let Some(subject) = record.subject()
        && !server.resource_owner_is_active(subject).await?
    {
        return Err(refused());
    }
    // RFC 9449 §5: stolen from a public client, it is of no use without the key.
    if record.jkt.is_some() && record.jkt != request.jkt {
        return Err(refused());
    }
    let mut grant = record.grant.clone();
    grant.scope = narrowed_scope(record, request.parameters)?;
    let wishes = request.wishes(&grant.audience)?;
    let grant_type = GrantType::RefreshToken;
    let (access_token, access) = server.new_access_token(client, grant_type, grant, &wishes)?;
    let id_token = server.new_id_token(&access_token, &access, None)?;
    Ok((access_token, access, id_token))
}

/// RFC 6749 §6: the scope may shrink for this access token, never grow.
fn narrowed_scope(
    record: &RefreshTokenRecord,
    parameters: &Parameters<'_>,
) -> Result<Scope, OAuthError> {
    let refused = || {
        let description = "the scope is malformed or exceeds the grant";
        OAuthError::new(ErrorCode::InvalidScope, description)
    };
    match parameters.get("scope") {
        None => Ok(record.scope().clone()),
        Some(asked) => Scope::requested(asked)
            .ok()
            .filter(|asked| asked.is_subset(record.scope()))
            .ok_or_else(refused),
    }
}

/// One text for every cause: it must not tell whether a token ever existed.
fn refused() -> OAuthError {
    OAuthError::invalid_grant(
        "the refresh token is unknown, expired, used, revoked, or of another client",
    )
}
