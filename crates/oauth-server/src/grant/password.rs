//! The password grant (RFC 6749 §4.3).

use secrecy::SecretString;

use super::{GrantType, TokenRequest};
use crate::{OAuthError, TokenResponse};

pub(super) async fn grant(request: &TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let server = request.server;
    let username = request.required("username", "username is missing")?;
    let password = request.required("password", "password is missing")?;
    let password = SecretString::from(password);
    let scope = server
        .requested_scope(request.client, request.parameters)
        .await?;
    let wishes = request.wishes(&[])?;

    let subject = server
        .resource_owner(username, &password, request.source)
        .await?;
    let audience = wishes.audience.clone();
    let mut grant = server.new_grant(request.client, Some(&subject), scope, audience)?;
    grant.auth_time = Some(server.now());
    let grant_type = GrantType::Password;
    server
        .issue_tokens(request.client, grant_type, grant, &wishes)
        .await
}
