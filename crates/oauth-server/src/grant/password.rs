//! The password grant (RFC 6749 §4.3).

use secrecy::{ExposeSecret, SecretString};

use super::{GrantType, TokenRequest};
use crate::{OAuthError, TokenResponse, secret::MAX_SECRET, throttle::Attempt};

pub(super) async fn grant(request: TokenRequest<'_>) -> Result<TokenResponse, OAuthError> {
    let server = request.server;
    let username = request.required("username", "username is missing")?;
    let password = request.required("password", "password is missing")?;
    let password = SecretString::from(password);
    let scope = server
        .requested_scope(request.client, request.parameters)
        .await?;
    let wishes = request.wishes(&[])?;

    let refused = || OAuthError::invalid_grant("the user name or the password is wrong");
    if password.expose_secret().len() > MAX_SECRET {
        return Err(refused());
    }
    let attempt = Attempt::new("user", username, request.source);
    server.check_throttle(&attempt)?;
    let owners = server.resource_owners();
    let subject = owners.authenticate(username, &password).await?;
    server.check_throttle(&attempt)?;
    let Some(subject) = subject else {
        server.attempt_failed(&attempt);
        return Err(refused());
    };
    server.attempt_succeeded(&attempt);

    server.check_subject(&subject).await?;
    let audience = wishes.audience.clone();
    let mut grant = server.new_grant(request.client, Some(&subject), scope, audience)?;
    grant.auth_time = Some(server.now());
    let grant_type = GrantType::Password;
    server
        .issue_tokens(request.client, grant_type, grant, wishes)
        .await
}
