//! A6: where credentials are, at every endpoint, and where they never are.

use oauth_core::{
    AccessToken, Capability, Client, ClientAuthMethod, RefreshToken,
    grant::{self, AuthorizationCode},
    secrecy::ExposeSecret,
};

use crate::{Context, Failure, Need::ClientAuthenticationMethods, Outcome, ensure};

/// Calls whatever the target's provider can do.
async fn every_endpoint(cx: &Context, client: &Client) -> Result<(), Failure> {
    let can = |capability| client.provider().capabilities().contains(capability);
    let own = cx.credentials();
    // Answers fit some of the endpoints only: what counts is what was sent.
    cx.ask(client).await?;
    if can(Capability::Password) {
        client
            .exchange(&grant::Password::new(own.username, own.password))
            .await
            .ok();
    }
    if can(Capability::RefreshToken) {
        let refresh_token = RefreshToken::new("planted-refresh-token")?;
        client
            .exchange(&grant::RefreshToken::new(refresh_token.clone()))
            .await
            .ok();
        if can(Capability::Revocation) {
            client.revoke_refresh_token(&refresh_token).await.ok();
        }
    }
    if can(Capability::AuthorizationCode) {
        let code = AuthorizationCode::new("planted-code").with_code_verifier("planted-verifier");
        client.exchange(&code).await.ok();
    }
    if can(Capability::DeviceCode) {
        client.device_authorization(Some(&own.scopes)).await.ok();
        client
            .exchange(&grant::DeviceCode::new("planted-device-code"))
            .await
            .ok();
    }
    let token = AccessToken::new("planted-access-token")?;
    if can(Capability::Revocation) {
        client.revoke(&token).await.ok();
    }
    if can(Capability::Introspection) {
        client
            .introspect(&"planted-access-token".into(), None)
            .await
            .ok();
    }
    if can(Capability::UserInfo) {
        client.userinfo(&token).await.ok();
    }
    Ok(())
}

pub(super) async fn one_method_at_a_time(cx: Context) -> Outcome {
    let methods = if cx.target().lacks().contains(&ClientAuthenticationMethods) {
        vec![
            cx.target()
                .provider("http://127.0.0.1:9")?
                .client_authentication(),
        ]
    } else {
        vec![
            ClientAuthMethod::Basic,
            ClientAuthMethod::BasicRaw,
            ClientAuthMethod::Post,
        ]
    };
    for method in methods {
        let server = cx
            .scripted([cx.token_reply("conformance-access-token")])
            .await?;
        let client = cx
            .builder(server.base_url())?
            .client_authentication(method)
            .build()?;
        every_endpoint(&cx, &client).await?;
        for request in server.received() {
            let basic = request
                .header("authorization")
                .is_some_and(|v| v.starts_with("Basic "));
            let body = request.param("client_secret").is_some();
            ensure!(
                !(basic && body) && request.count("authorization") <= 1,
                "chose {method:?}, expected one method at {}, got two",
                request.path()
            );
        }
        let extra = client
            .exchange(&*cx.grant(&client))
            .param("client_secret", "another")
            .await;
        ensure!(
            extra.is_err(),
            "added client_secret to {method:?}, expected an error, got {extra:?}"
        );
    }
    let both = cx
        .builder("http://127.0.0.1:9")?
        .client_authentication(ClientAuthMethod::None)
        .build();
    ensure!(
        both.is_err(),
        "gave a secret and the method none, expected an error, got {both:?}"
    );
    Ok(())
}

pub(super) async fn nothing_in_the_uri(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    every_endpoint(&cx, &client).await?;
    let own = cx.credentials();
    let secret = own.client_secret.expose_secret().to_owned();
    let received = server.received();
    ensure!(
        received.len() > 1,
        "expected a request at each endpoint, got {}",
        received.len()
    );
    for request in received {
        let target = request.target();
        ensure!(
            request.query().is_none() && !target.contains("planted") && !target.contains(&secret),
            "expected no query at {}, got {:?}",
            request.path(),
            request.query()
        );
    }
    Ok(())
}
