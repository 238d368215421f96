//! The client credentials grant (RFC 6749 §4.4).

use super::{GrantType, TokenRequest};
use crate::{OAuthError, TokenResponse};

pub(super) async fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let server = request.server;
    let scope = server
        .requested_scope(request.client, request.parameters)
        .await?;
    let wishes = request.wishes(&[])?;
    let grant = server.new_grant(request.client, None, scope, wishes.audience.clone())?;
    let grant_type = GrantType::ClientCredentials;
    server
        .issue_tokens(request.client, grant_type, grant, &wishes)
        .await
}
