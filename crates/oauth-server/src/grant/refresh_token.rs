//! The refresh token grant (RFC 6749 §6, RFC 9700 §4.14).

use super::{GrantType, TokenRequest};
use crate::{
    AuthorizationServer, Client, ContextError, ErrorCode, OAuthError, RefreshRotation,
    RefreshTokenRecord, Rotation, Scope, TokenHash, TokenResponse, parameters::Parameters,
};

pub(super) async fn grant(request: TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let TokenRequest { server, client, .. } = request;
    let token = request.required("refresh_token", "refresh_token is missing")?;
    let hash = TokenHash::of(token);

    let record = server.access_tokens().get_refresh(&hash).await?;
    let record = record
        .filter(|record| record.client_id() == client.id())
        .ok_or_else(refused)?;
    // Before anything else of the request is judged: a thief may err elsewhere, too.
    if record.consumed {
        return Err(reused(server, client, &record).await?);
    }
    if record.expires_at <= server.now() {
        return Err(refused());
    }
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
    grant.scope = narrowed_scope(&record, request.parameters)?;
    let wishes = request.wishes(&grant.audience)?;
    let grant_type = GrantType::RefreshToken;
    let (access_token, access) = server.new_access_token(client, grant_type, grant, &wishes)?;
    let (refresh_token, successor) = match client.refresh_rotation() {
        RefreshRotation::Keep => (token.to_owned(), None),
        RefreshRotation::Rotate | RefreshRotation::OneTime => {
            let (grant, end) = (record.grant.clone(), record.expires_at);
            let (successor, stored) = server.new_refresh_token(client, grant, end, wishes.jkt)?;
            (successor, Some(stored))
        }
    };
    let id_token = server.new_id_token(&access_token, &access, None)?;
    let answer = TokenResponse::new(access_token, &access, Some(refresh_token), id_token);
    match server
        .access_tokens()
        .rotate(&hash, access, successor)
        .await?
    {
        Rotation::Done => {
            server.purge().await;
            Ok(answer)
        }
        Rotation::Consumed => Err(reused(server, client, &record).await?),
        Rotation::Gone => Err(refused()),
    }
}

/// RFC 6749 §6: the scope may shrink for this access token, never grow.
fn narrowed_scope(
    record: &RefreshTokenRecord,
    parameters: &Parameters,
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

/// Thief or owner, one of the two holds a stolen token, and nobody can tell which.
async fn reused(
    server: &AuthorizationServer,
    client: &Client,
    record: &RefreshTokenRecord,
) -> Result<OAuthError, ContextError> {
    if client.refresh_rotation() == RefreshRotation::Rotate {
        tracing::warn!(client_id = client.id(), "a refresh token was used again");
        server.revoke_grant(&record.grant.id).await?;
    }
    Ok(refused())
}

/// One text for every cause: it must not tell whether a token ever existed.
fn refused() -> OAuthError {
    OAuthError::invalid_grant(
        "the refresh token is unknown, expired, used, revoked, or of another client",
    )
}
