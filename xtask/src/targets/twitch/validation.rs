//! Rows about the validation endpoint, and the typed tokens that ask it.

use std::time::Duration;

use http::StatusCode;
use oauth_conformance::{Case, Context, Need, Outcome, Reply, cases, ensure, wire};
use oauth_core::{AccessToken, ErrorCode, ErrorKind, Recovery, Scopes, Token, TokenSet};
use serde_json::{Value, json};
use twitch::{AppToken, Session, UserToken};

use super::{
    confidential,
    expect::{count, last, refused},
    public, tokens_by_code, tokens_by_device,
};

pub(super) const CASES: &[Case] = cases! {
    "TW-02" [Need::Counterpart] => validate,
    "TW-10" [] => never_expires,
    "TW-11" [Need::Counterpart] => user_and_app,
};

fn answer(scopes: &Value, expires_in: u64) -> Reply {
    let members = json!({
        "client_id": "demo", "login": "twitchdev", "scopes": scopes, "user_id": "141981764",
        "expires_in": expires_in,
    });
    Reply::json(200, &members)
}

/// The header word is `OAuth`, where everything else says `Bearer`. A user's token is validated
/// when it is made, and what keeps it validates it at its first use and every hour.
async fn validate(cx: Context) -> Outcome {
    let token = AccessToken::new("at")?;
    for (scopes, expected) in [
        (json!(["chat:read", "chat:edit"]), "chat:edit chat:read"),
        (json!([]), ""),
        (json!(null), ""),
    ] {
        let server = cx.scripted([answer(&scopes, 5_520_838)]).await?;
        let got = public(&cx, server.base_url())?
            .token_validate(&token)
            .await?;
        let request = last(&server)?;
        let line = (
            request.method(),
            request.target(),
            request.header("authorization"),
            request.body(),
        );
        ensure!(
            line == ("GET", "/oauth2/validate", Some("OAuth at"), String::new()),
            "a validation: expected GET /oauth2/validate with `OAuth at`, got {line:?}"
        );
        let user = (
            got.client_id(),
            got.login(),
            got.user_id(),
            got.expires_in(),
        );
        let whose = (
            "demo",
            Some("twitchdev"),
            Some("141981764"),
            Some(Duration::from_secs(5_520_838)),
        );
        ensure!(
            user == whose,
            "sent scopes {scopes}: expected {whose:?}, got {user:?}"
        );
        ensure!(
            *got.scopes() == Scopes::parse(expected)?,
            "sent scopes {scopes}: expected {expected:?}, got {}",
            got.scopes()
        );
    }
    for status in [400, 403, 404, 429, 500, 502, 503] {
        let body = json!({"status": status, "message": "not now"});
        let server = cx.scripted([Reply::json(status, &body)]).await?;
        let sent = format!("a validation answered with {status}");
        let error = refused(
            &sent,
            public(&cx, server.base_url())?.token_validate(&token).await,
        )?;
        ensure!(
            !error.needs_reauthorization() && error.code() != Some(&ErrorCode::InvalidToken),
            "{sent}: expected the token to be kept, got {error} and {:?}",
            error.recovery()
        );
    }

    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let tokens = tokens_by_code(&cx, &counterpart, &client).await?;
    let user = UserToken::from_token_set(&client, &tokens).await?;
    let requests = counterpart.control().requests().await?;
    let validations = requests
        .iter()
        .filter(|request| request["path"] == "/oauth2/validate")
        .count();
    ensure!(
        validations == 1 && user.client_id() == client.client_id(),
        "a user's token was made: expected one validation, got {validations}"
    );
    let bearer = format!("Bearer {}", tokens.access_token().expose_secret());
    let headers = [("Authorization", bearer.as_str())];
    let other = wire::request(
        counterpart.base_url(),
        "GET",
        "/oauth2/validate",
        &headers,
        b"",
    )
    .await?;
    ensure!(
        other.status() == 401,
        "sent Bearer to the emulator: expected 401, got {}",
        other.status()
    );
    counterpart.control().kill_tokens().await?;
    let sent = "a validation of a dead token";
    let error = refused(sent, client.token_validate(tokens.access_token()).await)?;
    ensure!(
        error.code() == Some(&ErrorCode::InvalidToken) && error.recovery() == Recovery::Renew,
        "{sent}: expected invalid_token and the token to renew, got {error} and {:?}",
        error.recovery()
    );
    let status = error.status();
    ensure!(
        status == Some(StatusCode::UNAUTHORIZED),
        "{sent}: expected 401, got {status:?}"
    );
    at_start_and_hourly(&cx).await
}

async fn at_start_and_hourly(cx: &Context) -> Outcome {
    let server = cx.scripted([answer(&json!(["chat:read"]), 14_400)]).await?;
    let session = Session::new(confidential(cx, server.base_url())?);
    let end = cx.now() + Duration::from_secs(36_000);
    let tokens = TokenSet::new(AccessToken::new("at")?, cx.now()).with_expires_at(Some(end));
    let handle = session.restore("141981764", &tokens).await?;
    let mut after = 0;
    for (seconds, expected) in [(0, 1), (3599, 1), (1, 2), (3599, 2), (1, 3)] {
        cx.clock().advance(Duration::from_secs(seconds));
        after += seconds;
        handle.token().await?;
        count(
            &format!("a token of a session, used after {after} s"),
            &server,
            expected,
        )?;
    }
    Ok(())
}

/// 0 seconds are for ever in a validation, and no time at all in a token's answer.
async fn never_expires(cx: Context) -> Outcome {
    let server = cx.scripted([answer(&json!(["chat:read"]), 0)]).await?;
    let client = confidential(&cx, server.base_url())?;
    let tokens = TokenSet::new(AccessToken::new("at")?, cx.now());
    let user = UserToken::from_token_set(&client, &tokens).await?;
    let in_a_century = cx.now() + Duration::from_secs(100 * 365 * 86_400);
    ensure!(
        user.expires_at().is_none() && !user.token_set().is_expired(in_a_century),
        "sent expires_in 0 in a validation: expected for ever, got {:?}",
        user.expires_at()
    );
    let token = cx
        .read(cx.token_reply_with("expires_in", json!(0)))
        .await??;
    ensure!(
        token.is_expired(cx.now()),
        "sent expires_in 0 in a token answer: expected an end at once, got {:?}",
        token.expires_at()
    );
    Ok(())
}

/// A token without a user where one is wanted, the reverse, and one of another client.
async fn user_and_app(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let app = client.app_token().await?;
    let user = tokens_by_code(&cx, &counterpart, &client).await?;
    let of_public = public(&cx, counterpart.base_url())?;
    let foreign = tokens_by_device(&cx, &counterpart, &of_public).await?;

    UserToken::from_token_set(&client, &user).await?;
    AppToken::from_existing(&client, app.access_token().clone()).await?;
    for (sent, result) in [
        (
            "an app token as a user's",
            UserToken::from_existing(&client, app.access_token().clone(), None)
                .await
                .map(drop),
        ),
        (
            "a user's token as an app token",
            AppToken::from_existing(&client, user.access_token().clone())
                .await
                .map(drop),
        ),
        (
            "a token of another client",
            UserToken::from_token_set(&client, &foreign).await.map(drop),
        ),
    ] {
        let error = refused(sent, result)?;
        ensure!(
            error.kind() == ErrorKind::Usage,
            "{sent}: expected a usage error, got {:?}: {error}",
            error.kind()
        );
    }
    // Empty texts are no user.
    let body =
        json!({"client_id": "demo", "login": "", "user_id": "", "scopes": [""], "expires_in": 9});
    let server = cx.scripted([Reply::json(200, &body)]).await?;
    let sent = "a validation with an empty user_id";
    let client = confidential(&cx, server.base_url())?;
    refused(sent, UserToken::from_token_set(&client, &user).await)?;
    count(sent, &server, 1)
}
