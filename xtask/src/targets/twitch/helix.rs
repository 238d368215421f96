//! Rows about API calls: their headers, and the kinds of 401.

use std::sync::Mutex;

use bytes::Bytes;
use oauth_conformance::{Case, Context, Failure, Need, Outcome, Reply, cases, ensure};
use oauth_core::{AccessToken, Error, RefreshToken, Token};
use serde_json::{Value, json};
use twitch::{Client, UserToken, helix::Unauthorized};

use super::{
    confidential,
    expect::{count, grant_types, refused},
    tokens_by_code,
};

pub(super) const CASES: &[Case] = cases! {
    "TW-09" [Need::Counterpart] => app_token_anew,
    "TW-12" [Need::Counterpart] => one_401_of_three,
};

/// A call of the API that reads.
pub(super) fn get(client: &Client, path: &str) -> Result<http::Request<Bytes>, Failure> {
    let url = client.helix_url(path)?;
    let request = http::Request::get(url.as_str()).body(Bytes::new());
    request.map_err(|error| Failure::new(format!("no request for {url}: {error}")))
}

pub(super) fn validation() -> Reply {
    let members = json!({
        "client_id": "demo", "login": "twitchdev", "scopes": [], "user_id": "1", "expires_in": 60,
    });
    Reply::json(200, &members)
}

pub(super) fn refusal(status: u16, message: &str) -> Reply {
    let members = json!({"error": "Unauthorized", "status": status, "message": message});
    Reply::json(status, &members)
}

pub(super) async fn keep<T>(_: T) -> Result<(), Error> {
    Ok(())
}

/// An app token has no refresh token: whether it has ended or was revoked, a new one is asked for.
async fn app_token_anew(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let control = counterpart.control();
    let client = confidential(&cx, counterpart.base_url())?;
    let mut token = client.app_token().await?;
    ensure!(
        token.refresh_token().is_none(),
        "an app token: expected no refresh token, got one"
    );
    for how in ["ended", "revoked"] {
        match how {
            "ended" => control.advance(60 * 86_400).await?,
            _ => control.kill_tokens().await?,
        }
        let old = token.access_token().clone();
        let request = get(&client, "users?login=demo")?;
        let answer = client.token_refresh_step(request, &mut token, keep).await?;
        ensure!(
            answer.status() == 200 && *token.access_token() != old,
            "a call with an app token that has {how}: expected 200 with a new token, got {}",
            answer.status()
        );
    }
    let grants = grant_types(control).await?;
    ensure!(
        grants == ["client_credentials"; 3],
        "an app token that died twice: expected client_credentials three times, got {grants:?}"
    );
    // Even where the answer has one.
    let server = cx
        .scripted([cx.token_reply_with("refresh_token", json!("rt"))])
        .await?;
    let token = confidential(&cx, server.base_url())?.app_token().await?;
    ensure!(
        token.refresh_token().is_none(),
        "an app token's answer with a refresh token: expected it to be left, got it"
    );
    Ok(())
}

/// `Authorization` and `Client-Id` come from one token. Of the three 401s only the dead token's is
/// worth a refresh, and only one.
async fn one_401_of_three(cx: Context) -> Outcome {
    for (message, kind, refreshed) in [
        ("Invalid OAuth token", Unauthorized::InvalidToken, true),
        (
            "Client ID and OAuth token do not match",
            Unauthorized::ClientIdMismatch,
            false,
        ),
        ("OAuth token is missing", Unauthorized::MissingToken, false),
        ("Missing scope: user:read:email", Unauthorized::Other, false),
    ] {
        let again = refusal(401, message);
        let mut replies = vec![validation(), again.clone()];
        if refreshed {
            replies.push(cx.token_reply("new"));
        }
        replies.push(again);
        let server = cx.scripted(replies).await?;
        let client = confidential(&cx, server.base_url())?;
        let mut token = user(&client).await?;
        let request = get(&client, "users")?;
        let error = refused(
            message,
            client.token_refresh_step(request, &mut token, keep).await,
        )?;
        let got = Unauthorized::of(&error);
        ensure!(
            got == Some(kind),
            "401 {message:?}: expected {kind:?}, got {got:?}"
        );
        // The validation, the call; then the refresh and the call again.
        count(message, &server, if refreshed { 4 } else { 2 })?;
        for (index, word) in [(1, "Bearer at"), (3, "Bearer new")] {
            let received = server.received();
            let Some(call) = received.get(index) else {
                continue;
            };
            let got = (
                call.header("authorization"),
                call.header("client-id"),
                call.count("client-id"),
            );
            ensure!(
                got == (Some(word), Some("demo"), 1),
                "a call of Helix: expected {word:?} and Client-Id demo, got {got:?}"
            );
        }
    }
    leads_nowhere_else(&cx).await?;

    let counterpart = cx.counterpart().await?;
    let control = counterpart.control();
    let client = confidential(&cx, counterpart.base_url())?;
    let tokens = tokens_by_code(&cx, &counterpart, &client).await?;
    let mut token = UserToken::from_token_set(&client, &tokens).await?;
    client.helix(get(&client, "users")?, &token).await?;
    control.kill_tokens().await?;
    let stored = Mutex::new(Vec::new());
    let store = async |new: UserToken| {
        let calls = control
            .requests()
            .await
            .map_err(|_| Error::usage("no control"))?
            .len();
        let text = new.access_token().clone();
        stored
            .lock()
            .map_err(|_| Error::usage("a lock"))?
            .push((text, calls));
        Ok::<_, Error>(())
    };
    let before = control.requests().await?.len();
    let answer = client
        .token_refresh_step(get(&client, "users")?, &mut token, store)
        .await?;
    let body: Option<Value> = serde_json::from_slice(answer.body()).ok();
    ensure!(
        body.is_some_and(|body| body["data"][0]["login"] == "demo"),
        "a call with a dead token: expected the user's data, got status {}",
        answer.status()
    );
    let stored = stored.into_inner().unwrap_or_default();
    ensure!(
        stored == [(token.access_token().clone(), before + 2)],
        "a call with a dead token: expected the new one to be stored once, after the refresh and before its use, got {} times",
        stored.len()
    );
    Ok(())
}

/// A token goes to Helix alone.
async fn leads_nowhere_else(cx: &Context) -> Outcome {
    let server = cx.scripted([cx.token_reply("at")]).await?;
    let elsewhere = cx.scripted([Reply::new(200)]).await?;
    let client = confidential(cx, server.base_url())?;
    let token = client.app_token().await?;
    for url in [
        format!("{}/helix/users", elsewhere.base_url()),
        format!("{}/oauth2/validate", server.base_url()),
        format!("{}/helix/../oauth2/validate", server.base_url()),
    ] {
        let request = http::Request::get(&url).body(Bytes::new());
        let request = request.map_err(|_| Failure::new(format!("no request for {url}")))?;
        refused(&url, client.helix(request, &token).await)?;
    }
    count("calls that are not of Helix", &server, 1)?;
    count("calls of another server", &elsewhere, 0)
}

pub(super) async fn user(client: &Client) -> Result<UserToken, Failure> {
    let (access, refresh) = (AccessToken::new("at")?, RefreshToken::new("rt")?);
    Ok(UserToken::from_existing(client, access, Some(refresh)).await?)
}
