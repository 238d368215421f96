//! Rows about what a request carries.

use moov::{BodyFormat, Client, Credentials, Moov, RevokeAccessToken, Scope, Token, Version};
use oauth_conformance::{Case, Context, Failure, Need, Outcome, Received, cases, ensure};

use super::{ORIGIN, ask, builder, client, failed, get, refused};

pub(super) const CASES: &[Case] = cases! {
    "MV-01" [Need::Counterpart] => json_or_form_with_one_authentication,
    "MV-10" [Need::Counterpart] => version_in_a_header,
    "MV-11" [Need::Counterpart] => one_origin,
};

/// The emulator's key pair as HTTP Basic: `demo:demo-secret`.
const BASIC: &str = "Basic ZGVtbzpkZW1vLXNlY3JldA==";

const VERSION: &str = "v2026.07.00";

/// Bodies are JSON where other providers take forms, forms on request; the key pair is in one
/// place, though the official clients send it in two.
async fn json_or_form_with_one_authentication(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    for (body, credentials, media_type, text) in [
        (
            BodyFormat::Json,
            Credentials::Basic,
            "application/json",
            r#"{"grant_type":"client_credentials","scope":"/accounts.read"}"#,
        ),
        (
            BodyFormat::Json,
            Credentials::Body,
            "application/json",
            r#"{"grant_type":"client_credentials","client_id":"demo","client_secret":"demo-secret","scope":"/accounts.read"}"#,
        ),
        (
            BodyFormat::Form,
            Credentials::Basic,
            "application/x-www-form-urlencoded",
            "grant_type=client_credentials&scope=%2Faccounts.read",
        ),
        (
            BodyFormat::Form,
            Credentials::Body,
            "application/x-www-form-urlencoded",
            "grant_type=client_credentials&client_id=demo&client_secret=demo-secret&scope=%2Faccounts.read",
        ),
    ] {
        let sent = format!("{body:?} with credentials {credentials:?}");
        let build = |base_url: &str| {
            let builder = builder(&cx, base_url).origin(ORIGIN);
            let client = builder.body(body).credentials(credentials).build();
            client.map_err(failed)
        };
        let server = cx.scripted([cx.token_reply("a")]).await?;
        let client = build(server.base_url())?;
        client
            .client_credentials(Scope::accounts_read())
            .await
            .map_err(failed)?;
        let got = only(server.received())?;
        let line = (got.method(), got.target());
        ensure!(
            line == ("POST", "/oauth2/token"),
            "{sent}: expected POST /oauth2/token, got {line:?}"
        );
        let kind = got.header("content-type");
        ensure!(
            kind == Some(media_type),
            "{sent}: expected {media_type}, got {kind:?}"
        );
        ensure!(
            got.body() == text,
            "{sent}: expected the body {text}, got {}",
            got.body()
        );
        let basic = got.header("authorization");
        let expected = (credentials == Credentials::Basic).then_some(BASIC);
        ensure!(
            basic == expected && got.count("authorization") <= 1,
            "{sent}: expected Authorization {expected:?} once, got {basic:?}"
        );

        let client = build(counterpart.base_url())?;
        let token = client.client_credentials(Scope::accounts_read()).await;
        token.map_err(failed)?;
    }
    let server = cx.scripted([cx.token_reply("a")]).await?;
    let token = ask(&cx, server.base_url(), Scope::ping_read()).await?;
    token.map_err(failed)?;
    let got = only(server.received())?;
    let plain = got.header("authorization") == Some(BASIC) && got.param("client_id").is_none();
    ensure!(
        plain && got.header("content-type") == Some("application/json"),
        "nothing chosen: expected JSON with Basic alone, got {}",
        got.whole()
    );
    Ok(())
}

/// `X-Moov-Version` goes with every call; a version in the path is answered with 403, and so never
/// gets there.
async fn version_in_a_header(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    let version: Version = VERSION.parse()?;
    let versioned = builder(&cx, base_url).origin(ORIGIN).version(version);
    call_everything(&versioned.build().map_err(failed)?, base_url).await?;
    call_everything(&client(&cx, base_url)?, base_url).await?;
    let requests = counterpart.control().requests().await?;
    let paths = ["/oauth2/token", "/oauth2/token", "/oauth2/revoke", "/ping"];
    let got: Vec<_> = requests.iter().map(|request| &request["path"]).collect();
    ensure!(
        got == [paths, paths].concat(),
        "called everything twice, expected {paths:?} twice, got {got:?}"
    );
    for (index, request) in requests.iter().enumerate() {
        let expected = (index < paths.len()).then_some(VERSION);
        let (path, got) = (
            &request["path"],
            request["headers"]["x-moov-version"].as_str(),
        );
        ensure!(
            got == expected,
            "called {path} with version {expected:?}, expected it as X-Moov-Version, got {got:?}"
        );
    }
    for text in [
        "latest",
        "2026.07.00",
        "v2026.02.00",
        "v2026.7.0",
        "v2026.07",
        "V2026.07.00",
        "v2026.07.00\r\nX-Injected: 1",
    ] {
        ensure!(
            text.parse::<Version>().is_err(),
            "version {text:?}: expected a usage error, got a version"
        );
    }
    for path in ["v1", "v2026.07.00", "api/v2/"] {
        let base_url = format!("{base_url}/{path}");
        let built = Moov::at(&base_url);
        ensure!(
            built.is_err(),
            "base URL {base_url}: expected a usage error, got a provider"
        );
    }
    Ok(())
}

/// Without an `Origin` or a `Referer` on the key pair's list Moov answers 403, also where the
/// origin ends in a slash.
async fn one_origin(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    for bad in [
        "https://example.com/",
        "https://example.com/pay",
        "https://example.com?x",
        "https://user@example.com",
        "https://example.com\r\nX-Injected: 1",
        "example.com",
        "*",
        "",
    ] {
        let error = refused(
            &format!("origin {bad:?}"),
            builder(&cx, base_url).origin(bad).build(),
        )?;
        ensure!(
            error.kind() == moov::ErrorKind::Usage,
            "origin {bad:?}: expected a usage error, got {:?}",
            error.kind()
        );
    }
    refused("neither origin nor referer", builder(&cx, base_url).build())?;
    let both = builder(&cx, base_url).origin(ORIGIN).referer(ORIGIN);
    refused("origin and referer", both.build())?;

    let (page, version) = ("https://example.com/pay?step=2", VERSION.parse()?);
    for (name, other, value, builder) in [
        (
            "origin",
            "referer",
            ORIGIN,
            builder(&cx, base_url).origin(ORIGIN),
        ),
        (
            "referer",
            "origin",
            page,
            builder(&cx, base_url).referer(page),
        ),
    ] {
        let client = builder.version(version).build().map_err(failed)?;
        call_everything(&client, base_url).await?;
        let requests = counterpart.control().requests().await?;
        for request in requests.iter().rev().take(4) {
            let (path, headers) = (&request["path"], &request["headers"]);
            // The record joins headers of one name by commas.
            ensure!(
                headers[name] == value && headers[other].is_null(),
                "{path} with {name}: expected {value} once and no {other}, got {headers}"
            );
        }
    }
    for (sent, builder) in [
        ("no origin", builder(&cx, base_url).without_origin()),
        (
            "an origin of no list",
            builder(&cx, base_url).origin("https://elsewhere.example"),
        ),
        (
            "a referer of no list",
            builder(&cx, base_url).referer("https://elsewhere.example/pay"),
        ),
    ] {
        let client = builder.build().map_err(failed)?;
        let error = refused(sent, client.client_credentials(Scope::ping_read()).await)?;
        let (status, recovery) = (error.status(), error.recovery());
        ensure!(
            status == Some(http::StatusCode::FORBIDDEN)
                && recovery == oauth_core::Recovery::FixConfiguration,
            "{sent}: expected 403 and the configuration to mend, got {status:?} and {recovery:?}"
        );
    }
    Ok(())
}

/// Creates, refreshes and revokes a token, and calls the API with it: four requests.
async fn call_everything(client: &Client, base_url: &str) -> Outcome {
    let first = client.client_credentials(Scope::ping_read()).await;
    let token = client
        .renew(&first.map_err(failed)?, Scope::ping_read())
        .await;
    let token = token.map_err(failed)?;
    let refresh_token = token
        .refresh_token()
        .ok_or_else(|| Failure::new("a refresh: expected a refresh token again, got none"))?;
    let request = RevokeAccessToken::refresh_token(refresh_token);
    let revoked = client.revoke_access_token(request).await;
    revoked.map_err(failed)?;
    // Of the revoked token's family or not: what is looked at is what arrives.
    get(client, token.access_token(), base_url, "/ping").await?;
    Ok(())
}

fn only(received: Vec<Received>) -> Result<Received, Failure> {
    let count = received.len();
    let mut received = received.into_iter();
    match (received.next(), received.next()) {
        (Some(request), None) => Ok(request),
        _ => Err(Failure::new(format!(
            "one call: expected one request, got {count}"
        ))),
    }
}
