//! C1: a refresh loses nothing, neither by a client that keeps no tokens nor by a manager.

use std::time::Duration;

use oauth_core::{
    Capability::RefreshToken as Refresh, Client, Error, ErrorKind, Limits, RefreshToken, Token,
    TokenSet, grant,
};
use serde_json::json;

use super::{
    faults,
    manager::{self, rotation::keeps_the_old_one},
};
use crate::{Case, Context, Failure, Need::Can, Outcome, Reply, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-02" [Can(Refresh)] => no_new_one,
    "REF-03" [Can(Refresh)] => nothing_for_a_new_one,
    "REF-15" [Can(Refresh)] => refused_for_another_reason,
    "REF-16" [Can(Refresh)] => failed_on_the_way,
};

const OLD: &str = "old+refresh/token=1";
/// The only answer that is not waited for.
const SILENCE: &str = "silence";
/// How long silence is heard: long enough for the server to have read its request on any machine.
const PATIENCE: Duration = Duration::from_secs(1);

async fn no_new_one(cx: Context) -> Outcome {
    let kept = refreshed(&cx, cx.token_reply_without("refresh_token")).await?;
    ensure!(
        kept == OLD,
        "sent no refresh_token, expected the old one to stay, got {kept:?}"
    );
    let new = refreshed(
        &cx,
        cx.token_reply_with("refresh_token", json!("new-refresh-token")),
    )
    .await?;
    ensure!(
        new == "new-refresh-token",
        "sent a new refresh_token, expected it, got {new:?}"
    );
    let reply = cx.token_reply_without("refresh_token");
    keeps_the_old_one(&cx, "no refresh_token", reply).await
}

async fn nothing_for_a_new_one(cx: Context) -> Outcome {
    for nothing in [json!(null), json!("")] {
        let kept = refreshed(&cx, cx.token_reply_with("refresh_token", nothing.clone())).await?;
        ensure!(
            kept == OLD,
            "sent refresh_token {nothing}, expected the old one to stay, got {kept:?}"
        );
        let reply = cx.token_reply_with("refresh_token", nothing.clone());
        keeps_the_old_one(&cx, &format!("refresh_token {nothing}"), reply).await?;
    }
    Ok(())
}

async fn refused_for_another_reason(cx: Context) -> Outcome {
    for code in [
        "invalid_client",
        "unauthorized_client",
        "invalid_scope",
        "unsupported_grant_type",
        "invalid_request",
    ] {
        let Some((status, body)) = cx.target().refusal(code) else {
            continue;
        };
        let reply = Reply::new(status)
            .header("Content-Type", "application/json")
            .body(body);
        survives(&cx, code, reply).await?;
    }
    for (sent, reply) in [
        ("an empty 200", Reply::new(200)),
        ("cut JSON", Reply::new(200).body("{\"access_token\":")),
        (
            "neither token",
            Reply::json(200, &json!({"token_type": "bearer"})),
        ),
        (
            "a refresh_token that is no text",
            cx.token_reply_with("refresh_token", json!({"a": 1})),
        ),
        (
            "a login page under 401",
            Reply::new(401)
                .header("Content-Type", "text/html")
                .body("<form>"),
        ),
        ("404", Reply::new(404)),
        (
            "a redirect",
            Reply::new(307).header("Location", "https://elsewhere.invalid/"),
        ),
    ] {
        survives(&cx, sent, reply).await?;
    }
    Ok(())
}

async fn failed_on_the_way(cx: Context) -> Outcome {
    let dead = |status: u16| -> Result<Reply, Failure> {
        let (_, body) = cx.refusal_body("invalid_grant")?;
        Ok(Reply::new(status)
            .header("Content-Type", "application/json")
            .body(body))
    };
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"access_token\":";
    for (sent, reply) in [
        ("no answer", Reply::close()),
        ("half an answer", Reply::raw(half)),
        (SILENCE, Reply::silence()),
        ("500", Reply::new(500)),
        ("502", Reply::new(502)),
        (
            "503 with Retry-After",
            Reply::new(503).header("Retry-After", "1"),
        ),
        ("500 with invalid_grant", dead(500)?),
        ("429", Reply::new(429)),
        ("429 with invalid_grant", dead(429)?),
        ("408", Reply::new(408)),
    ] {
        let error = survives(&cx, sent, reply).await?;
        let passes = matches!(error.kind(), ErrorKind::Transport | ErrorKind::Server)
            && error.is_transient();
        ensure!(
            passes,
            "met {sent} at a refresh, expected a transient error, got {:?}",
            error.recovery()
        );
    }
    // A caller that gives up in the middle of an exchange loses nothing either.
    let server = cx
        .scripted([Reply::silence(), cx.token_reply("second")])
        .await?;
    let client = cx.client(server.base_url())?;
    let token = held(&cx)?;
    let grant = grant::RefreshToken::of(&token)?;
    let given_up = tokio::time::timeout(PATIENCE, client.exchange(&grant)).await;
    ensure!(
        given_up.is_err(),
        "met silence, expected no answer, got one"
    );
    again(&client, &grant, &token, "a caller that gave up").await?;
    faults::meet(&cx, faults::OF_A_SESSION).await
}

/// Ends the case unless a refresh that fails with `reply` keeps everything, and a second one with
/// the same grant works with the same refresh token.
async fn survives(cx: &Context, sent: &str, reply: Reply) -> Result<Error, Failure> {
    let server = cx
        .scripted([reply.clone(), cx.token_reply("second")])
        .await?;
    let client = cx.client(server.base_url())?;
    let total = if sent == SILENCE {
        PATIENCE
    } else {
        Limits::default().total
    };
    let hasty = cx
        .builder(server.base_url())?
        .limits(Limits::default().with_total(total))
        .build()?;
    let token = held(cx)?;
    let grant = grant::RefreshToken::of(&token)?;
    let first = hasty.exchange(&grant).await;
    let error = first
        .err()
        .ok_or_else(|| Failure::new(format!("sent {sent}, expected an error, got a token")))?;
    let dead = error.needs_reauthorization();
    ensure!(
        !dead,
        "met {sent} at a refresh, expected the session to be kept, got {:?}",
        error.recovery()
    );
    again(&client, &grant, &token, sent).await?;
    let got: Vec<_> = server
        .received()
        .iter()
        .map(|request| request.param("refresh_token"))
        .collect();
    let same = got.len() == 2 && got.iter().all(|sent| sent.as_deref() == Some(OLD));
    ensure!(
        same,
        "met {sent} at a refresh, expected the same refresh token twice, got {} requests: {got:?}",
        got.len()
    );
    // A manager has no limit of its own for silence.
    if sent != SILENCE {
        manager::survives(cx, sent, reply).await?;
    }
    Ok(error)
}

async fn again(
    client: &Client,
    grant: &grant::RefreshToken,
    token: &TokenSet,
    met: &str,
) -> Outcome {
    let second = client.exchange(grant).await;
    ensure!(
        second.is_ok(),
        "met {met} at a refresh, expected a second one to work, got {second:?}"
    );
    let kept = token.refresh_token().map(RefreshToken::expose_secret);
    ensure!(
        kept == Some(OLD),
        "met {met} at a refresh, expected the caller's token unchanged, got another"
    );
    Ok(())
}

/// The refresh token after a refresh of a token with the old one.
async fn refreshed(cx: &Context, reply: Reply) -> Result<String, Failure> {
    let server = cx.scripted([reply]).await?;
    let token = cx
        .client(server.base_url())?
        .exchange(&grant::RefreshToken::of(&held(cx)?)?)
        .await?;
    Ok(token
        .refresh_token()
        .map(|token| token.expose_secret().to_owned())
        .unwrap_or_default())
}

/// A token as a caller holds it.
fn held(cx: &Context) -> Result<TokenSet, Failure> {
    let token = TokenSet::new(oauth_core::AccessToken::new("first")?, cx.now());
    Ok(token
        .with_scopes(cx.credentials().scopes)
        .with_refresh_token(Some(RefreshToken::new(OLD)?)))
}
