//! E9: this project's client, set up from what the server tells about itself.

use std::{sync::Arc, time::Duration};

use oauth_core::{Client, GenericProvider, ServerMetadata, Token, TokenSet, Transport, grant};

use super::server::Tested;
use crate::{
    Case, Context, Failure,
    Need::{Counterpart, Server},
    Outcome, cases, ensure, wire,
};

pub(super) const CASES: &[Case] = cases! {
    "SMD-06" [Counterpart, Server] => every_grant,
};

async fn every_grant(cx: Context) -> Outcome {
    let tested = Tested::start(&cx).await?;
    let transport: Arc<dyn Transport> = Arc::new(cx.transport());
    let metadata = ServerMetadata::discover(tested.base_url(), transport).await?;
    let own = &tested.set().confidential;
    let client = |id: &str| {
        let provider = GenericProvider::from_metadata(&metadata)?;
        Ok::<_, oauth_core::Error>(cx.builder_for(Arc::new(provider), id))
    };
    let confidential = client(&own.id)?
        .client_secret(own.secret.as_str())
        .build()?;
    let public = client(&tested.set().public.id)?.build()?;

    let scopes = cx.credentials().scopes;
    let grant = grant::ClientCredentials::new().with_scopes(scopes.clone());
    let token = confidential.exchange(&grant).await?;
    is_active("client_credentials", &confidential, &token, true).await?;

    let credentials = cx.credentials();
    let grant = grant::Password::new(credentials.username, credentials.password);
    let token = confidential.exchange(&grant).await?;
    is_active("password", &confidential, &token, true).await?;

    for (sent, client) in [
        ("a public client", &public),
        ("a confidential one", &confidential),
    ] {
        for push in [false, true] {
            let token = with_code(&cx, &tested, client, push).await?;
            let grant = grant::RefreshToken::of(&token)?;
            let renewed = client.exchange(&grant).await?;
            let told = client.userinfo(renewed.access_token()).await?;
            ensure!(
                !told.subject().is_empty(),
                "asked userinfo as {sent}, expected a subject, got none"
            );
        }
        let device = client.device_authorization(Some(&scopes)).await?;
        tested
            .control()
            .device(device.user_code(), "approve")
            .await?;
        let token = client.poll_device(&device).await?;
        client.revoke(token.access_token()).await?;
        is_active("a revoked token", &confidential, &token, false).await?;
    }
    Ok(())
}

/// Authorization code with PKCE, as a person's browser goes through it.
async fn with_code(
    cx: &Context,
    tested: &Tested,
    client: &Client,
    push: bool,
) -> Result<TokenSet, Failure> {
    let scopes = oauth_core::Scopes::parse("read openid")?;
    let request = client
        .authorization_request(&tested.set().redirect_uri)
        .scopes(scopes);
    let (url, mut pending) = match push {
        true => request.push().await?,
        false => request.build()?,
    };
    let target = url
        .as_str()
        .strip_prefix(tested.base_url())
        .ok_or_else(|| Failure::new(format!("expected the server's own address, got {url}")))?;
    let answer = wire::request(tested.base_url(), "GET", target, &[], b"").await?;
    let callback = answer.header("location").unwrap_or_default();
    let code = pending.accept(callback)?;
    let token = client.exchange(&code).await?;
    ensure!(
        token
            .expires_at()
            .is_some_and(|end| end > cx.now() + Duration::from_secs(1)),
        "exchanged a code, expected a token that lives"
    );
    Ok(token)
}

async fn is_active(sent: &str, client: &Client, token: &TokenSet, wanted: bool) -> Outcome {
    let text = token.access_token().expose_secret().to_owned().into();
    let seen = client.introspect(&text, None).await?;
    ensure!(
        seen.is_active() == wanted,
        "introspected the token of {sent}, expected active={wanted}, got {}",
        seen.is_active()
    );
    Ok(())
}
