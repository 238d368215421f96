//! Rows about refreshes: what a refusal means for the session, and what each kind of client sends.

use oauth_conformance::{Case, Context, Counterpart, Failure, Need, Outcome, Reply, cases, ensure};
use oauth_core::{ErrorCode, ErrorKind, RefreshToken, TokenSet};
use serde_json::json;
use tokio::net::TcpSocket;
use twitch::Client;

use super::{
    builder, confidential,
    expect::{
        count, form_names, grant_types, misconfigured, reauthorize, refresh_token, refused,
        transient,
    },
    public, tokens_by_code, tokens_by_device,
};

pub(super) const CASES: &[Case] = cases! {
    "TW-14" [Need::Counterpart] => what_a_refusal_means,
    "TW-15" [Need::Counterpart] => secret_by_kind_of_client,
};

/// 400 and 401 ask the user again, 403 is the secret, and a failure of Twitch's ends no session.
async fn what_a_refusal_means(cx: Context) -> Outcome {
    let body = |status: u16, message: &str| {
        Reply::json(status, &json!({"status": status, "message": message}))
    };
    for (status, message) in [
        (400, "Invalid refresh token"),
        (400, "Invalid grant"),
        // Documented without its words.
        (401, "Unauthorized"),
        (401, ""),
    ] {
        let sent = format!("a refresh answered with {status} {message:?}");
        let error = refused(&sent, refresh(&cx, &sent, body(status, message)).await?)?;
        reauthorize(&sent, &error, &ErrorCode::InvalidGrant)?;
    }
    let sent = "a refresh answered with 401 and no body";
    let error = refused(sent, refresh(&cx, sent, Reply::new(401)).await?)?;
    reauthorize(sent, &error, &ErrorCode::InvalidGrant)?;
    for (status, message) in [
        (403, "invalid client secret"),
        (403, "anything else"),
        (400, "missing client secret"),
        (401, "invalid client"),
    ] {
        let sent = format!("a refresh answered with {status} {message:?}");
        let error = refused(&sent, refresh(&cx, &sent, body(status, message)).await?)?;
        misconfigured(&sent, &error, &ErrorCode::InvalidClient)?;
    }
    for status in [500, 502, 503, 504] {
        let sent = format!("a refresh answered with {status}");
        let words = "Missing column authorization_id from item map[]";
        let error = refused(&sent, refresh(&cx, &sent, body(status, words)).await?)?;
        transient(&sent, &error)?;
    }
    let sent = "a refresh answered with a page under 401";
    let error = refused(
        sent,
        refresh(&cx, sent, Reply::new(401).body("<html>sign in</html>")).await?,
    )?;
    ensure!(
        !error.needs_reauthorization(),
        "{sent}: expected the session to be kept, got {error} and {:?}",
        error.recovery()
    );

    let counterpart = cx.counterpart().await?;
    let client = confidential(&cx, counterpart.base_url())?;
    let tokens = tokens_by_code(&cx, &counterpart, &client).await?;
    let fault = json!({"path": "/oauth2/token", "status": 500});
    counterpart.control().fault(fault).await?;
    let old = refresh_token(&tokens)?;
    let sent = "a refresh on a bad day of the emulator";
    transient(sent, &refused(sent, client.token_refresh_with(old).await)?)?;
    client.token_refresh_with(old).await?;
    let sent = "a refresh token that never was";
    let error = refused(
        sent,
        client
            .token_refresh_with(&RefreshToken::new("never")?)
            .await,
    )?;
    reauthorize(sent, &error, &ErrorCode::InvalidGrant)
}

/// A public client has no secret to send, and its refresh tokens work once; a confidential one
/// must send its secret even for a token of the device flow.
async fn secret_by_kind_of_client(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    let (public, confidential) = (public(&cx, base_url)?, confidential(&cx, base_url)?);
    for (client, names) in [
        (&public, &["grant_type", "refresh_token", "client_id"][..]),
        (
            &confidential,
            &["grant_type", "refresh_token", "client_id", "client_secret"],
        ),
    ] {
        let tokens = tokens_by_device(&cx, &counterpart, client).await?;
        let new = client.token_refresh_with(refresh_token(&tokens)?).await?;
        let requests = counterpart.control().requests().await?;
        let got = requests.last().map(form_names).unwrap_or_default();
        ensure!(
            got == names,
            "a refresh by {}: expected {names:?}, got {got:?}",
            client.client_id()
        );
        client.token_refresh_with(refresh_token(&new)?).await?;
    }

    let tokens = tokens_by_device(&cx, &counterpart, &confidential).await?;
    let forgetful = builder(&cx, base_url, confidential.client_id())?.build()?;
    let sent = "a confidential client's refresh without its secret";
    let error = refused(
        sent,
        forgetful.token_refresh_with(refresh_token(&tokens)?).await,
    )?;
    misconfigured(sent, &error, &ErrorCode::InvalidClient)?;

    let tokens = tokens_by_device(&cx, &counterpart, &public).await?;
    let new = public.token_refresh_with(refresh_token(&tokens)?).await?;
    let sent = "a public client's refresh token, used twice";
    let error = refused(
        sent,
        public.token_refresh_with(refresh_token(&tokens)?).await,
    )?;
    reauthorize(sent, &error, &ErrorCode::InvalidGrant)?;
    lost_answer(&counterpart, &public, &new).await?;
    nobody_there(&cx, &tokens).await
}

/// The answer of a one-time refresh is lost: it is not sent again, which would end the session for
/// certain, and the error says that it may pass. Only Twitch's own word ends the session.
async fn lost_answer(counterpart: &Counterpart, client: &Client, tokens: &TokenSet) -> Outcome {
    let control = counterpart.control();
    let before = grant_types(control).await?.len();
    let old = refresh_token(tokens)?;
    for fault in [
        json!({"path": "/oauth2/token", "close": true}),
        json!({"path": "/oauth2/token", "status": 503}),
        json!({"path": "/oauth2/token", "commit_then_close": true}),
    ] {
        let sent = format!("a refresh that met {fault}");
        control.fault(fault).await?;
        let error = refused(&sent, client.token_refresh_with(old).await)?;
        transient(&sent, &error)?;
    }
    let sent = grant_types(control).await?.split_off(before);
    ensure!(
        sent == ["refresh_token"; 3],
        "three refreshes that failed: expected each to be sent once, got {sent:?}"
    );
    let sent = "the refresh token of a lost answer";
    let error = refused(sent, client.token_refresh_with(old).await)?;
    reauthorize(sent, &error, &ErrorCode::InvalidGrant)
}

/// Nothing can have been sent where nobody listens: that may be tried again, and is.
async fn nobody_there(cx: &Context, tokens: &TokenSet) -> Outcome {
    // Bound, so that nobody else gets the port, but not listening.
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let client = public(cx, &format!("http://{}", socket.local_addr()?))?;
    let before = cx.clock().sleeps().len();
    let sent = "a refresh where nobody listens";
    let error = refused(
        sent,
        client.token_refresh_with(refresh_token(tokens)?).await,
    )?;
    transient(sent, &error)?;
    let tries = 1 + cx.clock().sleeps().len() - before;
    ensure!(
        error.kind() == ErrorKind::Transport && error.nothing_sent() && tries > 1,
        "{sent}: expected more than one try, got {:?} after {tries}",
        error.kind()
    );
    Ok(())
}

/// What comes of a refresh that is answered with this; it is asked for once.
async fn refresh(
    cx: &Context,
    sent: &str,
    reply: Reply,
) -> Result<Result<TokenSet, oauth_core::Error>, Failure> {
    let server = cx.scripted([reply]).await?;
    let client = confidential(cx, server.base_url())?;
    let result = client.token_refresh_with(&RefreshToken::new("rt")?).await;
    count(sent, &server, 1)?;
    Ok(result)
}
