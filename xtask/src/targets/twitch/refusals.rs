//! Rows about how Twitch refuses.

use std::time::Duration;

use http::StatusCode;
use oauth_conformance::{Case, Context, Failure, Need, Outcome, Reply, cases, ensure};
use oauth_core::{AccessToken, Error, ErrorCode, RefreshToken, Token};
use serde_json::json;
use twitch::Revoked;

use super::{
    builder, confidential,
    device::started,
    expect::{count, misconfigured, reauthorize, refused, transient},
};

pub(super) const CASES: &[Case] = cases! {
    "TW-05" [Need::Counterpart] => messages_become_codes,
    "TW-07" [Need::Counterpart] => revocation,
};

/// `message` says what RFC 6749 says in `error`; where there is an `error`, it is the reason
/// phrase of the status and never a code. The body of a 400 has to be read for any of it.
async fn messages_become_codes(cx: Context) -> Outcome {
    for (status, message, code) in [
        (400, "Invalid refresh token", ErrorCode::InvalidGrant),
        (400, "Invalid grant", ErrorCode::InvalidGrant),
        (400, "Invalid authorization code", ErrorCode::InvalidGrant),
        (400, "missing client secret", ErrorCode::InvalidClient),
        (403, "invalid client secret", ErrorCode::InvalidClient),
        (400, "invalid client", ErrorCode::InvalidClient),
        (400, "invalid scope requested", ErrorCode::InvalidScope),
        (
            400,
            "Parameter redirect_uri does not match registered URI",
            ErrorCode::InvalidRequest,
        ),
    ] {
        for body in [
            json!({"status": status, "message": message}),
            json!({"status": status, "message": message, "error": "Bad Request"}),
            json!({"status": status, "message": message.to_uppercase(), "error": "access_denied"}),
        ] {
            let sent = format!("{body} under {status}");
            let error = refresh(&cx, &sent, Reply::json(status, &body)).await?;
            match code {
                ErrorCode::InvalidGrant => reauthorize(&sent, &error, &code)?,
                _ => misconfigured(&sent, &error, &code)?,
            }
            let said = error.oauth_error().and_then(|error| error.description());
            ensure!(
                said == body["message"].as_str(),
                "sent {sent}: expected the words to be kept, got {said:?}"
            );
        }
    }
    other_words(&cx).await?;
    pending(&cx).await?;

    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    let id = cx.credentials().client_id;
    let wrong = builder(&cx, base_url, &id)?
        .client_secret("wrong")
        .build()?;
    let error = refused("a wrong secret", wrong.app_token().await)?;
    misconfigured("a wrong secret", &error, &ErrorCode::InvalidClient)?;
    let unknown = builder(&cx, base_url, "nobody")?
        .client_secret("wrong")
        .build()?;
    let error = refused("an unknown client", unknown.app_token().await)?;
    misconfigured("an unknown client", &error, &ErrorCode::InvalidClient)
}

/// What nobody has seen yet is kept as text; what is not Twitch's is none of its errors.
async fn other_words(cx: &Context) -> Outcome {
    let body = json!({"error": "Bad Request", "status": 400, "message": "half past nine"});
    let sent = body.to_string();
    let error = refresh(cx, &sent, Reply::json(400, &body)).await?;
    let (code, said) = (
        error.code(),
        error.oauth_error().and_then(|error| error.description()),
    );
    ensure!(
        code.is_some_and(|code| !code.is_registered()) && said == Some("half past nine"),
        "sent {sent}: expected the words under no code of the RFC, got {code:?} and {said:?}"
    );
    ensure!(
        !error.needs_reauthorization() && !error.is_transient(),
        "sent {sent}: expected neither a new consent nor a retry, got {:?}",
        error.recovery()
    );
    for body in [
        "<html>sign in</html>",
        r#"{"error":"Bad Request","status":400}"#,
        "",
    ] {
        let error = refresh(cx, body, Reply::new(400).body(body)).await?;
        ensure!(
            error.code().is_none() && !error.needs_reauthorization(),
            "sent {body:?} under 400: expected no code and the session kept, got {error}"
        );
    }
    Ok(())
}

/// `authorization_pending` is a message, too; the RFC's own spelling is understood as well.
async fn pending(cx: &Context) -> Outcome {
    let own = json!({"status": 400, "message": "authorization_pending"});
    for body in [own.clone(), json!({"error": "authorization_pending"})] {
        let reply = Reply::json(400, &body);
        let replies = [reply.clone(), reply, cx.token_reply("at")];
        let before = cx.clock().sleeps().len();
        let (server, client, device) = started(cx, replies).await?;
        client.device_token(&device).await?;
        count(&format!("two of {body}, then a token"), &server, 4)?;
        let waits = cx.clock().sleeps().split_off(before);
        ensure!(
            waits == [Duration::from_secs(5); 3],
            "two of {body}, then a token: expected 5 s before each poll, got {waits:?}"
        );
    }
    Ok(())
}

/// Success is an empty body; a token that is dead already is a 400 and as good as revoked; a
/// client that does not exist is a 404.
async fn revocation(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let app = client.app_token().await?;
    for expected in [Revoked::Now, Revoked::AlreadyGone] {
        let got = client.token_revoke(app.access_token()).await?;
        ensure!(
            got == expected,
            "a revocation: expected {expected:?}, got {got:?}"
        );
    }
    let unknown = builder(&cx, counterpart.base_url(), "nobody")?.build()?;
    let sent = "a revocation by an unknown client";
    let error = refused(sent, unknown.token_revoke(app.access_token()).await)?;
    misconfigured(sent, &error, &ErrorCode::InvalidClient)?;
    ensure!(
        error.status() == Some(StatusCode::NOT_FOUND),
        "{sent}: expected 404, got {:?}",
        error.status()
    );

    let got = revoke(&cx, Reply::new(200)).await??;
    ensure!(
        got == Revoked::Now,
        "a revocation answered with an empty 200: expected Now, got {got:?}"
    );
    let invalid = json!({"status": 400, "message": "Invalid token"});
    let got = revoke(&cx, Reply::json(400, &invalid)).await??;
    ensure!(
        got == Revoked::AlreadyGone,
        "a revocation answered with {invalid}: expected AlreadyGone, got {got:?}"
    );
    for (status, body) in [
        (
            400,
            json!({"status": 400, "message": "missing oauth token"}),
        ),
        (401, json!({"status": 401, "message": "Invalid token"})),
        (400, json!({"error": "Invalid token"})),
    ] {
        let sent = format!("a revocation answered with {status} {body}");
        refused(&sent, revoke(&cx, Reply::json(status, &body)).await?)?;
    }
    let sent = "a revocation answered with 500";
    transient(sent, &refused(sent, revoke(&cx, Reply::new(500)).await?)?)
}

/// What a revocation that is answered with this comes to.
async fn revoke(cx: &Context, reply: Reply) -> Result<Result<Revoked, Error>, Failure> {
    let server = cx.scripted([reply]).await?;
    let client = confidential(cx, server.base_url())?;
    Ok(client.token_revoke(&AccessToken::new("at")?).await)
}

/// The error of a refresh that is answered with this; nothing is asked twice.
async fn refresh(cx: &Context, sent: &str, reply: Reply) -> Result<Error, Failure> {
    let server = cx.scripted([reply]).await?;
    let client = confidential(cx, server.base_url())?;
    let error = refused(
        sent,
        client.token_refresh_with(&RefreshToken::new("rt")?).await,
    )?;
    count(sent, &server, 1)?;
    Ok(error)
}
