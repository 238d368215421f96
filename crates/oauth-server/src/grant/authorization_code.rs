//! The authorization code grant at the token endpoint (RFC 6749 §4.1.3, RFC 7636 §4.6).

use super::{GrantType, TokenRequest};
use crate::{
    AuthorizationCodeRecord, AuthorizationServer, ContextError, OAuthError, TokenHash,
    TokenResponse, issue::TokenWishes, pkce,
};

pub(super) async fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let server = request.server;
    let hash = TokenHash::of(request.required("code", "code is missing")?);
    let verifier = request.parameters.get("code_verifier");
    if verifier.is_some_and(|verifier| !pkce::is_well_formed(verifier)) {
        return Err(OAuthError::invalid_request("code_verifier is malformed"));
    }

    let record = server.authorization_codes().get(&hash).await?;
    // A stranger's attempt leaves the code to its owner.
    let record = record
        .filter(|record| record.client_id() == request.client.id())
        .ok_or_else(refused)?;
    if record.consumed {
        return Err(replayed(server, &hash, &record).await?);
    }
    if record.expires_at <= server.now() {
        return Err(refused());
    }
    let redirect_uri = request.parameters.get("redirect_uri");
    let same_uri = match redirect_uri {
        Some(uri) => uri == record.redirect_uri,
        None => !record.redirect_uri_given,
    };
    if !same_uri {
        return Err(refused());
    }
    if !pkce::fits(record.code_challenge.as_deref(), verifier) {
        // Guessing verifiers ends with the first wrong one.
        server.authorization_codes().consume(&hash).await?;
        return Err(refused());
    }
    if let Some(subject) = record.subject()
        && !server.resource_owner_is_active(subject).await?
    {
        return Err(refused());
    }
    // RFC 9449 §10: the code is of use to that key only.
    if record.dpop_jkt.is_some() && record.dpop_jkt != request.jkt {
        return Err(refused());
    }
    let grant = record.grant.clone();
    let wishes = TokenWishes {
        nonce: record.nonce.as_deref(),
        ..request.wishes(&grant.audience)?
    };

    if !server.authorization_codes().consume(&hash).await? {
        return Err(replayed(server, &hash, &record).await?);
    }
    let grant_type = GrantType::AuthorizationCode;
    let tokens = server.issue_tokens(request.client, grant_type, grant, &wishes);
    let tokens = tokens.await;
    // Nothing was stored, so the retry that is advised must find the code as it was.
    if tokens.is_err()
        && let Err(error) = server.authorization_codes().release(&hash).await
    {
        tracing::warn!(%error, "a code for which nothing was issued stays consumed");
    }
    tokens
}

/// RFC 6749 §4.1.2: what was issued for a code that comes back is revoked.
async fn replayed(
    server: &AuthorizationServer,
    hash: &TokenHash,
    record: &AuthorizationCodeRecord,
) -> Result<OAuthError, ContextError> {
    tracing::warn!(
        client_id = record.client_id(),
        "an authorization code came back"
    );
    // So that whoever came first cannot release it.
    server.authorization_codes().consume(hash).await?;
    server.revoke_grant(&record.grant.id).await?;
    Ok(refused())
}

fn refused() -> OAuthError {
    OAuthError::invalid_grant(
        "the code is unknown, expired, used, of another client, or does not fit the request",
    )
}
