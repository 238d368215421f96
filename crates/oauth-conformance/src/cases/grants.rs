//! A2 and A3: password, client credentials and refresh.

use oauth_core::{
    Capability::{self, Password as CanPassword, RefreshToken as CanRefresh},
    Client, ClientAuthMethod, ErrorKind, RefreshToken, Scopes, Token,
    grant::{self, ClientCredentials, Password},
    secrecy::ExposeSecret,
};
use serde_json::json;

use super::client_authentication::presented;
use crate::{
    Case, Context, Failure,
    Need::{Can, ClientAuthenticationMethods},
    Outcome, Received, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REQ-20" [Can(CanPassword)] => password_body,
    "REQ-22" [Can(CanPassword), Can(CanRefresh)] => password_dropped,
    "REQ-23" [Can(Capability::ClientCredentials)] => client_credentials_body,
    "REQ-24" [Can(Capability::ClientCredentials)] => no_scope_wanted,
    "REQ-25" [Can(Capability::ClientCredentials)] => client_credentials_without_a_client,
    "REQ-30" [Can(CanRefresh)] => refresh_body,
    "REQ-31" [Can(CanRefresh)] => wider_scope,
    "REQ-32" [Can(Capability::ClientCredentials), Can(CanRefresh)] => refresh_authenticates_alike,
    "REQ-33" [Can(CanRefresh)] => no_refresh_token,
    "REQ-34" [Can(CanRefresh)] => odd_refresh_tokens,
};

const TOKEN: &str = "conformance-access-token";

/// That a request has these parameters, each once, and of the others at most the client's own.
pub(super) fn ensure_body(request: &Received, expected: &[(&str, &str)]) -> Outcome {
    ensure!(
        request.method() == "POST",
        "expected POST, got {}",
        request.method()
    );
    let params = request.params();
    for (name, value) in expected {
        let got: Vec<_> = params
            .iter()
            .filter(|(have, _)| have == name)
            .map(|(_, value)| value)
            .collect();
        ensure!(
            got == [value],
            "expected {name}={value:?} once, got {got:?}"
        );
    }
    let known = |name: &str| {
        ["client_id", "client_secret"].contains(&name)
            || expected.iter().any(|(have, _)| *have == name)
    };
    let more: Vec<_> = params
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !known(name))
        .collect();
    ensure!(
        more.is_empty(),
        "expected nothing beside {expected:?}, got {more:?}"
    );
    Ok(())
}

fn a_refresh_token() -> Result<RefreshToken, Failure> {
    Ok(RefreshToken::new("conformance-refresh-token")?)
}

async fn password_body(cx: Context) -> Outcome {
    let scopes = cx.credentials().scopes;
    let scope = scopes.to_string();
    for (username, password) in [
        ("demo", "demo"),
        ("a&b=c", "1+1=2%20&%"),
        (" blank both ", " pass word "),
        ("søren@example.com", "пароль 🦀 \"\\/"),
        ("line\r\nbreak", "tab\tnul\0"),
        ("demo", ""),
    ] {
        let server = cx.scripted([cx.token_reply(TOKEN)]).await?;
        let client = cx.client(server.base_url())?;
        client
            .exchange(&Password::new(username, password).with_scopes(scopes.clone()))
            .await?;
        let request = &server.received()[0];
        ensure_body(
            request,
            &[
                ("grant_type", "password"),
                ("username", username),
                ("password", password),
                ("scope", &scope),
            ],
        )?;
        let kind = request.header("content-type").unwrap_or_default();
        ensure!(
            kind == "application/x-www-form-urlencoded",
            "expected a form, got {kind}"
        );
        ensure!(
            request.body().bytes().all(|byte| byte.is_ascii_graphic()),
            "gave {username:?}, expected everything encoded, got a byte outside visible ASCII"
        );
    }
    Ok(())
}

async fn password_dropped(cx: Context) -> Outcome {
    let answer = cx.token_reply_with("refresh_token", json!("conformance-refresh-token"));
    let server = cx.scripted([answer, cx.token_reply(TOKEN)]).await?;
    let client = cx.client(server.base_url())?;
    let (username, password) = ("planted-user", "planted-password");
    let grant = Password::new(username, password);
    let token = client.exchange(&grant).await?;
    let shown = format!("{grant:?} {token:?} {client:?}");
    ensure!(
        !shown.contains(password),
        "expected no password in Debug, got it"
    );
    drop(grant);
    client.exchange(&grant::RefreshToken::of(&token)?).await?;
    let renewal = &server.received()[1];
    ensure_body(
        renewal,
        &[
            ("grant_type", "refresh_token"),
            ("refresh_token", "conformance-refresh-token"),
        ],
    )?;
    ensure!(
        !renewal.whole().contains("planted"),
        "renewed a token, expected neither user name nor password, got one"
    );

    // Without a refresh token nothing is left to renew with.
    let server = cx
        .scripted([cx.token_reply_without("refresh_token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let token = client.exchange(&Password::new(username, password)).await?;
    let renewal = grant::RefreshToken::of(&token);
    ensure!(
        renewal.is_err(),
        "had no refresh token, expected an error, got {renewal:?}"
    );
    Ok(())
}

async fn client_credentials_body(cx: Context) -> Outcome {
    let scopes = cx.credentials().scopes;
    let scope = scopes.to_string();
    let server = cx.scripted([cx.token_reply(TOKEN)]).await?;
    let client = cx.client(server.base_url())?;
    client
        .exchange(&ClientCredentials::new().with_scopes(scopes))
        .param("audience", "https://api.example.com/?a=b&c")
        .await?;
    client.exchange(&ClientCredentials::new()).await?;
    let received = server.received();
    ensure_body(
        &received[0],
        &[
            ("grant_type", "client_credentials"),
            ("scope", &scope),
            ("audience", "https://api.example.com/?a=b&c"),
        ],
    )?;
    ensure_body(&received[1], &[("grant_type", "client_credentials")])
}

async fn no_scope_wanted(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply(TOKEN)]).await?;
    let client = cx.client(server.base_url())?;
    for grant in [
        ClientCredentials::new(),
        ClientCredentials::new().with_scopes(Scopes::empty()),
    ] {
        client.exchange(&grant).await?;
        let scope = server
            .received()
            .last()
            .and_then(|request| request.param("scope"));
        ensure!(
            scope.is_none(),
            "asked for no scope, expected no parameter, got {scope:?}"
        );
    }
    Ok(())
}

async fn client_credentials_without_a_client(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply(TOKEN)]).await?;
    let provider = cx.target().provider(server.base_url())?;
    let client = Client::builder_for(provider, cx.credentials().client_id).build()?;
    let result = client.exchange(&ClientCredentials::new()).await;
    refused_here(&result, "asked for client credentials without a secret")?;
    let count = server.received().len();
    ensure!(
        count == 0,
        "had no secret, expected no request, got {count}"
    );
    Ok(())
}

/// That a call ended in the caller's own mistake, with nothing sent.
fn refused_here<T: std::fmt::Debug>(result: &Result<T, oauth_core::Error>, did: &str) -> Outcome {
    match result {
        Err(error) if error.kind() == ErrorKind::Usage && error.nothing_sent() => Ok(()),
        other => Err(Failure::new(format!(
            "{did}, expected a usage error, got {other:?}"
        ))),
    }
}

async fn refresh_body(cx: Context) -> Outcome {
    let own = cx.credentials().scopes;
    let server = cx.scripted([cx.token_reply(TOKEN)]).await?;
    let client = cx.client(server.base_url())?;
    let refresh = grant::RefreshToken::new(a_refresh_token()?).with_granted_scopes(own.clone());
    client.exchange(&refresh).await?;
    let bare = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "conformance-refresh-token"),
    ];
    ensure_body(&server.received()[0], &bare)?;
    if client
        .provider()
        .capabilities()
        .contains(Capability::ScopeOnRefresh)
    {
        let one = Scopes::new(own.iter().take(1))?;
        client.exchange(&refresh.with_scopes(one.clone())).await?;
        let scope = one.to_string();
        ensure_body(
            &server.received()[1],
            &[bare[0], bare[1], ("scope", &scope)],
        )?;
    }
    Ok(())
}

async fn wider_scope(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply(TOKEN)]).await?;
    let client = cx.client(server.base_url())?;
    let own = cx.credentials().scopes;
    let granted = Scopes::new(own.iter().take(1))?;
    let wider = grant::RefreshToken::new(a_refresh_token()?).with_granted_scopes(granted);
    let result = client.exchange(&wider.with_scopes(own)).await;
    refused_here(&result, "asked a refresh for more than was granted")?;
    let count = server.received().len();
    ensure!(
        count == 0,
        "asked for more than was granted, expected no request, got {count}"
    );
    Ok(())
}

async fn refresh_authenticates_alike(cx: Context) -> Outcome {
    let own = cx.credentials();
    let methods = if cx.target().lacks().contains(&ClientAuthenticationMethods) {
        vec![None]
    } else {
        vec![
            None,
            Some(ClientAuthMethod::Basic),
            Some(ClientAuthMethod::Post),
        ]
    };
    for method in methods {
        let answer = cx.token_reply_with("refresh_token", json!("conformance-refresh-token"));
        let server = cx.scripted([answer]).await?;
        let mut builder = cx.builder(server.base_url())?;
        if let Some(method) = method {
            builder = builder.client_authentication(method);
        }
        let client = builder.build()?;
        let token = client.exchange(&ClientCredentials::new()).await?;
        client.exchange(&grant::RefreshToken::of(&token)?).await?;
        let received = server.received();
        let secret = own.client_secret.expose_secret().to_owned();
        let expected = Some((own.client_id.clone(), Some(secret)));
        for request in &received {
            let got = presented(request);
            let id = got.as_ref().map(|(id, _)| id.clone());
            ensure!(
                got == expected,
                "chose {method:?}, expected the client's own credentials, got id {id:?}"
            );
        }
        ensure!(
            received[0].header("authorization") == received[1].header("authorization"),
            "chose {method:?}, expected the refresh to authenticate as the issuance did, got another"
        );
    }
    Ok(())
}

async fn no_refresh_token(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply_without("refresh_token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let token = client
        .exchange(&grant::RefreshToken::new(a_refresh_token()?))
        .await?;
    ensure!(
        token.refresh_token().is_some(),
        "expected the refresh token that was sent to be kept"
    );
    let token = token.with_refresh_token(None);
    let result = grant::RefreshToken::of(&token);
    refused_here(&result, "had no refresh token")?;
    let reauthorize = result
        .err()
        .is_some_and(|error| error.needs_reauthorization());
    ensure!(
        reauthorize,
        "had no refresh token, expected an error that needs re-authorization, got another"
    );
    let count = server.received().len();
    ensure!(
        count == 1,
        "had no refresh token, expected no further request, got {}",
        count - 1
    );
    Ok(())
}

async fn odd_refresh_tokens(cx: Context) -> Outcome {
    for text in [
        "a+b/c=%d",
        "a%2Bb%2Fc",
        "&x=y&grant_type=password",
        " blanks inside and around ",
        "\"\\'{}",
    ] {
        let server = cx.scripted([cx.token_reply(TOKEN)]).await?;
        let client = cx.client(server.base_url())?;
        client
            .exchange(&grant::RefreshToken::new(RefreshToken::new(text)?))
            .await?;
        ensure_body(
            &server.received()[0],
            &[("grant_type", "refresh_token"), ("refresh_token", text)],
        )?;
    }
    Ok(())
}
