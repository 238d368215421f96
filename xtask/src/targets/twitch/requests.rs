//! Rows about what a request carries, and where.

use oauth_conformance::{Case, Context, Need, Outcome, Reply, cases, ensure};
use oauth_core::{AccessToken, ErrorCode, ErrorKind, RefreshToken, Scopes, grant};
use serde_json::json;

use super::{
    confidential,
    expect::{count, form_names, last, misconfigured, refresh_token, refused},
    public, tokens_by_code, tokens_by_device,
};

pub(super) const CASES: &[Case] = cases! {
    "TW-01" [Need::Counterpart] => nothing_in_the_query,
    "TW-08" [Need::Counterpart] => encoded_once,
    "TW-16" [Need::Counterpart] => secret_in_the_body_and_no_pkce,
    "TW-19" [Need::Counterpart] => no_scope_at_a_refresh,
};

const FORM: &str = "application/x-www-form-urlencoded";

/// Secrets in the query string would be accepted, and be in every log on the way.
async fn nothing_in_the_query(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let tokens = tokens_by_code(&cx, &counterpart, &client).await?;
    client.token_refresh_with(refresh_token(&tokens)?).await?;
    client.app_token().await?;
    let by_device = tokens_by_device(&cx, &counterpart, &client).await?;
    client
        .token_revoke(oauth_core::Token::access_token(&by_device))
        .await?;
    let secret = ["client_id", "client_secret"];
    let with_secret = |names: &[&'static str]| [names, &secret].concat();
    let expected = [
        (
            "/oauth2/token",
            with_secret(&["grant_type", "code", "redirect_uri"]),
        ),
        (
            "/oauth2/token",
            with_secret(&["grant_type", "refresh_token"]),
        ),
        ("/oauth2/token", with_secret(&["grant_type"])),
        ("/oauth2/device", vec!["scopes", "client_id"]),
        (
            "/oauth2/token",
            with_secret(&["grant_type", "device_code", "scopes"]),
        ),
        ("/oauth2/revoke", vec!["token", "client_id"]),
    ];
    let requests = counterpart.control().requests().await?;
    ensure!(
        requests.len() == expected.len(),
        "six calls: expected as many requests, got {}",
        requests.len()
    );
    for ((path, names), request) in expected.iter().zip(&requests) {
        let line = (request["method"].as_str(), request["path"].as_str());
        ensure!(
            line == (Some("POST"), Some(*path)),
            "expected POST {path}, got {line:?}"
        );
        ensure!(
            request["query"] == json!([]) && request["content_type"] == FORM,
            "{path}: expected a form and nothing in the query, got {} and the query {}",
            request["content_type"],
            request["query"]
        );
        let got = form_names(request);
        ensure!(
            got == *names,
            "{path}: expected the form {names:?}, got {got:?}"
        );
    }
    // The emulator would read an empty query as none.
    let server = cx.scripted([cx.token_reply("a"), Reply::new(200)]).await?;
    let client = confidential(&cx, server.base_url())?;
    client.app_token().await?;
    client.token_revoke(&AccessToken::new("a")?).await?;
    for request in server.received() {
        ensure!(
            request.query().is_none(),
            "expected no question mark, got {}",
            request.target()
        );
    }
    Ok(())
}

/// A refresh token may hold `%`, `/`, `+` and `=`: one form encoding, neither none nor two.
async fn encoded_once(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply("a")]).await?;
    let client = confidential(&cx, server.base_url())?;
    for (text, expected) in [
        ("a+b/c=%d", "a%2Bb%2Fc%3D%25d"),
        ("a%2Bb", "a%252Bb"),
        (
            "eyJfMzUtNDU0OC4MWYwLTQ5MDY5ODY4NGNlMSJ9%asdfasdf=",
            "eyJfMzUtNDU0OC4MWYwLTQ5MDY5ODY4NGNlMSJ9%25asdfasdf%3D",
        ),
    ] {
        client.token_refresh_with(&RefreshToken::new(text)?).await?;
        let body = last(&server)?.body();
        let expected = format!("&refresh_token={expected}&");
        ensure!(
            body.contains(&expected),
            "refreshed with {text:?}: expected {expected} in the body, got {body}"
        );
    }
    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let tokens = tokens_by_code(&cx, &counterpart, &client).await?;
    let old = refresh_token(&tokens)?;
    ensure!(
        old.expose_secret().contains(['%', '/', '+', '=']),
        "the emulator's refresh tokens have no character that a form changes"
    );
    client.token_refresh_with(old).await?;
    Ok(())
}

/// `client_secret_post` is the one method, and `code_challenge` is ignored: so a code needs the
/// secret, and a public client has no code flow.
async fn secret_in_the_body_and_no_pkce(cx: Context) -> Outcome {
    let refusal = cx.refusal("invalid_client")?;
    let server = cx.scripted([refusal]).await?;
    let client = confidential(&cx, server.base_url())?;
    let sent = "a request that is refused as invalid_client";
    let error = refused(sent, client.app_token().await)?;
    misconfigured(sent, &error, &ErrorCode::InvalidClient)?;
    count(sent, &server, 1)?;
    let request = last(&server)?;
    ensure!(
        request.header("authorization").is_none() && request.param("client_secret").is_some(),
        "{sent}: expected the secret in the body and no Authorization, got {}",
        request.whole()
    );

    let uri = cx.credentials().redirect_uri;
    let (url, _pending) = client.authorization_url(&uri).build()?;
    let names: Vec<_> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    ensure!(
        !names.iter().any(|name| name.starts_with("code_challenge")),
        "an authorization URL: expected no code_challenge, got {names:?}"
    );
    let public = public(&cx, server.base_url())?;
    let error = refused(
        "a public client's authorization URL",
        public.authorization_url(&uri).build(),
    )?;
    ensure!(
        error.kind() == ErrorKind::Usage,
        "a public client's authorization URL: expected a usage error, got {error}"
    );
    let error = refused(
        "a public client's code",
        public.token_get_from_code("code", &uri).await,
    )?;
    ensure!(
        error.kind() == ErrorKind::Usage,
        "a public client's code: expected a usage error, got {error}"
    );
    count("a public client's code", &server, 1)?;

    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    tokens_by_code(&cx, &counterpart, &client).await?;
    let requests = counterpart.control().requests().await?;
    for request in &requests {
        ensure!(
            request["headers"]["authorization"].is_null(),
            "{}: expected no Authorization, got {}",
            request["path"],
            request["headers"]
        );
    }
    Ok(())
}

/// The new token always has the full set: a `scope` would only pretend to narrow it.
async fn no_scope_at_a_refresh(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let tokens = tokens_by_code(&cx, &counterpart, &client).await?;
    let narrower = Scopes::parse("chat:read")?;
    let grant = grant::RefreshToken::new(refresh_token(&tokens)?.clone()).with_scopes(narrower);
    let new = client.core().exchange(&grant).await?;
    let requests = counterpart.control().requests().await?;
    let names = requests.last().map(form_names).unwrap_or_default();
    ensure!(
        names == ["grant_type", "refresh_token", "client_id", "client_secret"],
        "a refresh with a narrower scope: expected it not to be sent, got {names:?}"
    );
    let (got, expected) = (oauth_core::Token::scopes(&new), cx.credentials().scopes);
    ensure!(
        *got == expected,
        "a refresh with a narrower scope: expected the full set {expected}, got {got}"
    );
    Ok(())
}
