//! Callbacks of the wrong server, connector or session, and ones that bring tokens.

use oauth_core::{Error, ErrorKind, PendingAuthorization, grant::AuthorizationCode};

use super::client_of;
use crate::{
    Context, Outcome,
    cases::authorize::{begin, once},
    ensure,
};

/// `value` as a query has it.
fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// Ends the case unless the callback was refused as being none of this flow.
fn refused(sent: &str, result: Result<AuthorizationCode, Error>) -> Outcome {
    match result {
        Err(error) if error.kind() == ErrorKind::Protocol => Ok(()),
        Err(error) => {
            ensure!(
                false,
                "the callback had {sent}, expected a protocol error, got {:?}",
                error.kind()
            );
            Ok(())
        }
        Ok(_) => {
            ensure!(
                false,
                "the callback had {sent}, expected a refusal, got a code"
            );
            Ok(())
        }
    }
}

/// The user begins at an honest server, and an attacker's server answers in its place.
pub(super) async fn mix_up(cx: Context) -> Outcome {
    let (honest, evil) = (
        cx.scripted([cx.token_reply("honest-token")]).await?,
        cx.scripted([cx.token_reply("evil-token")]).await?,
    );
    let (here, there) = (honest.base_url(), evil.base_url());
    let client = client_of(&cx, here, true)?;
    let (url, mut pending) = begin(&cx, &client)?;
    let state = once(&url, "state")?;
    let other = encoded(there);
    for (sent, iss) in [
        ("the attacker's issuer", format!("&iss={other}")),
        ("no issuer", String::new()),
        ("an empty issuer", "&iss=".to_owned()),
        (
            "the issuer with a slash",
            format!("&iss={}%2F", encoded(here)),
        ),
        (
            "the issuer in capitals",
            format!("&iss={}", encoded(&here.to_uppercase())),
        ),
        ("two issuers", format!("&iss={other}&iss={}", encoded(here))),
    ] {
        refused(
            sent,
            pending.accept(&format!("code=a-code&state={state}{iss}")),
        )?;
    }
    let good = format!("code=owners-code&state={state}&iss={}", encoded(here));
    client.exchange(&pending.accept(&good)?).await?;
    let (asked, strays) = (honest.received(), evil.received());
    let codes: Vec<_> = asked.iter().map(|request| request.param("code")).collect();
    ensure!(
        codes == [Some("owners-code".to_owned())] && strays.is_empty(),
        "expected the code at the server that the flow began with alone, got {} and {} requests",
        codes.len(),
        strays.len()
    );
    Ok(())
}

/// A server that announces no `iss`: another one is refused all the same.
pub(super) async fn unexpected_issuer(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply("a")]).await?;
    let client = client_of(&cx, server.base_url(), false)?;
    let (url, mut pending) = begin(&cx, &client)?;
    let callback = format!("code=a-code&state={}", once(&url, "state")?);
    refused(
        "an issuer that nobody announced",
        pending.accept(&format!("{callback}&iss=https%3A%2F%2Fevil.example")),
    )?;
    let own = format!("{callback}&iss={}", encoded(server.base_url()));
    client.exchange(&pending.accept(&own)?).await?;
    let (url, mut silent) = begin(&cx, &client)?;
    let callback = format!("code=a-code&state={}", once(&url, "state")?);
    client.exchange(&silent.accept(&callback)?).await?;
    Ok(())
}

/// Two connectors to servers of one kind, under one client id: what belongs to one is nothing to
/// the other, not even after the records of both were kept as text.
pub(super) async fn many_connectors(cx: Context) -> Outcome {
    let (one, two) = (
        cx.scripted([cx.token_reply("one-token")]).await?,
        cx.scripted([cx.token_reply("two-token")]).await?,
    );
    let mut flows = Vec::new();
    for (server, redirect_uri) in [
        (&one, "https://app.example.com/callback/one"),
        (&two, "https://app.example.com/callback/two"),
    ] {
        let client = client_of(&cx, server.base_url(), true)?;
        let (url, pending) = client
            .authorization_request(redirect_uri)
            .pkce(true)
            .build()?;
        let kept = PendingAuthorization::from_json(&pending.to_json())?;
        let state = once(&url, "state")?;
        let sent = once(&url, "redirect_uri")?;
        ensure!(
            sent == redirect_uri,
            "began at {redirect_uri}, expected it in the URL, got {sent}"
        );
        let iss = encoded(server.base_url());
        let callback = format!("code=a-code&state={state}&iss={iss}");
        flows.push((client, kept, callback, redirect_uri));
    }
    let callbacks: Vec<_> = flows.iter().map(|flow| flow.2.clone()).collect();
    for (index, (_, pending, _, _)) in flows.iter_mut().enumerate() {
        let other = &callbacks[1 - index];
        refused("the callback of the other connector", pending.accept(other))?;
    }
    for (client, mut pending, callback, redirect_uri) in flows {
        client.exchange(&pending.accept(&callback)?).await?;
        let server = if redirect_uri.ends_with("one") {
            &one
        } else {
            &two
        };
        let got = server.last()?.param("redirect_uri");
        ensure!(
            got.as_deref() == Some(redirect_uri),
            "began at {redirect_uri}, expected it with the code, got {got:?}"
        );
    }
    let counts = (one.received().len(), two.received().len());
    ensure!(
        counts == (1, 1),
        "expected each code at its own server, got {counts:?} requests"
    );
    Ok(())
}

/// A flow that an attacker began cannot be completed in the victim's session, nor the other way.
pub(super) async fn session_fixation(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply("a")]).await?;
    let client = client_of(&cx, server.base_url(), false)?;
    let (attackers, mut attacker) = begin(&cx, &client)?;
    let (victims, mut victim) = begin(&cx, &client)?;
    let callback = |state: &str| format!("code=a-code&state={state}");
    let (theirs, own) = (once(&attackers, "state")?, once(&victims, "state")?);
    refused("the attacker's flow", victim.accept(&callback(&theirs)))?;
    refused("the victim's flow", attacker.accept(&callback(&own)))?;
    let none = server.received().len();
    ensure!(
        none == 0,
        "met callbacks of other sessions, expected no request, got {none}"
    );
    client.exchange(&victim.accept(&callback(&own))?).await?;
    // What was completed cannot be completed again by somebody who read the URL.
    let again = victim.accept(&callback(&own));
    ensure!(
        again.is_err(),
        "sent a callback twice, expected an error, got a code"
    );
    Ok(())
}

/// A token in the front channel is none: not in the query, not in the fragment, not beside a code.
pub(super) async fn token_injection(cx: Context) -> Outcome {
    let server = cx.scripted([cx.token_reply("the-right-token")]).await?;
    let client = cx.client(server.base_url())?;
    let (url, mut pending) = begin(&cx, &client)?;
    let kind = once(&url, "response_type")?;
    ensure!(
        kind == "code",
        "began a flow, expected response_type code, got {kind}"
    );
    let state = once(&url, "state")?;
    let uri = cx.credentials().redirect_uri;
    let token = format!("access_token=injected-token&token_type=Bearer&state={state}");
    for callback in [
        token.clone(),
        format!("{uri}#{token}"),
        format!("{uri}?state={state}#{token}&code=a-code"),
    ] {
        refused("a token", pending.accept(&callback))?;
    }
    let mut both = format!("code=a-code&{token}");
    if let Some(issuer) = client.provider().endpoints().issuer() {
        both += &format!("&iss={}", encoded(issuer));
    }
    if let Ok(code) = pending.accept(&both) {
        let got = client.exchange(&code).await?;
        let got = oauth_core::Token::access_token(&got).expose_secret();
        ensure!(
            got == "the-right-token",
            "sent a token beside a code, expected that of the token endpoint, got another"
        );
    }
    Ok(())
}
