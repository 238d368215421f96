//! Rows about the device flow.

use std::time::Duration;

use oauth_conformance::{
    Case, Context, Failure, Need, Outcome, Reply, ScriptedServer, cases, ensure, wire,
};
use oauth_core::{DeviceAuthorization, ErrorCode, Token, secrecy::ExposeSecret};
use serde_json::{Value, json};
use twitch::Client;

use super::{
    confidential,
    expect::{count, form_value, reauthorize, refused},
    public,
};

pub(super) const CASES: &[Case] = cases! {
    "TW-04" [Need::Counterpart] => scopes_in_the_plural,
    "TW-17" [Need::Counterpart] => invalid_device_code,
    "TW-18" [Need::Counterpart] => page_as_it_came,
};

/// A device answer; `interval` of 5 s, half an hour of life.
pub(super) fn answer() -> Value {
    json!({
        "device_code": "conformance-device-code", "expires_in": 1800, "interval": 5,
        "user_code": "ABCDEFGH",
        "verification_uri": "https://www.twitch.tv/activate?public=true&device-code=ABCDEFGH",
    })
}

/// A server that gives that answer and then these, and the public client that asked it.
pub(super) async fn started(
    cx: &Context,
    replies: impl IntoIterator<Item = Reply>,
) -> Result<(ScriptedServer, Client, DeviceAuthorization), Failure> {
    let replies = [Reply::json(200, &answer())].into_iter().chain(replies);
    let server = cx.scripted(replies).await?;
    let client = public(cx, server.base_url())?;
    let device = client.device_code(&cx.credentials().scopes).await?;
    Ok((server, client, device))
}

/// RFC 8628 says `scope`; with that name the request succeeds and the token has no scopes.
async fn scopes_in_the_plural(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let (base_url, control) = (counterpart.base_url(), counterpart.control());
    let asked = cx.credentials().scopes;
    for client in [public(&cx, base_url)?, confidential(&cx, base_url)?] {
        let sent = format!("the device flow of {}", client.client_id());
        let device = client.device_code(&asked).await?;
        let (page, code) = (device.verification_uri(), device.user_code());
        ensure!(
            page.contains(code),
            "{sent}: expected the user code in the page's URL, got neither"
        );
        control.device(code, "approve").await?;
        let token = client.device_token(&device).await?;
        ensure!(
            *token.scopes() == asked,
            "{sent}: expected the scopes {asked}, got {}",
            token.scopes()
        );
        let whose = client.token_validate(token.access_token()).await?;
        ensure!(
            *whose.scopes() == asked,
            "{sent}: expected the scopes {asked} of the token itself, got {}",
            whose.scopes()
        );
    }
    for request in control.requests().await? {
        let path = request["path"].as_str().unwrap_or_default();
        if path == "/oauth2/validate" {
            continue;
        }
        let (plural, singular) = (
            form_value(&request, "scopes"),
            form_value(&request, "scope"),
        );
        ensure!(
            plural == Some(&asked.to_string()) && singular.is_none(),
            "{path}: expected scopes={asked} and no scope, got {plural:?} and {singular:?}"
        );
    }
    Ok(())
}

/// One message for a code that is wrong, has ended or was used, in any letter case: final. It has
/// been seen while the user was still at it, so the same code can be polled again, by a call of
/// the application's own, until it ends.
async fn invalid_device_code(cx: Context) -> Outcome {
    for message in [
        "invalid device code",
        "Invalid device code",
        "INVALID DEVICE CODE",
    ] {
        let body = json!({"status": 400, "message": message});
        let (server, client, device) =
            started(&cx, [Reply::json(400, &body), cx.token_reply("at")]).await?;
        let error = refused(message, client.device_token(&device).await)?;
        reauthorize(message, &error, &ErrorCode::InvalidGrant)?;
        count(message, &server, 2)?;
        client.device_token(&device).await?;
        count("polled again by hand", &server, 3)?;
    }
    let body = json!({"status": 400, "message": "invalid device code"});
    let (server, client, device) = started(&cx, [Reply::json(400, &body)]).await?;
    refused("a first poll", client.device_token(&device).await)?;
    cx.clock().advance(Duration::from_secs(1800));
    let sent = "a poll after the code's half hour";
    let error = refused(sent, client.device_token(&device).await)?;
    reauthorize(sent, &error, &ErrorCode::ExpiredToken)?;
    count(sent, &server, 2)?;

    let counterpart = cx.counterpart().await?;
    let client = public(&cx, counterpart.base_url())?;
    let device = client.device_code(&cx.credentials().scopes).await?;
    counterpart
        .control()
        .device(device.user_code(), "approve")
        .await?;
    client.device_token(&device).await?;
    let sent = "a device code that was used";
    let error = refused(sent, client.device_token(&device).await)?;
    reauthorize(sent, &error, &ErrorCode::InvalidGrant)
}

/// The page's URL has the code in it already, and is shown as it came.
async fn page_as_it_came(cx: Context) -> Outcome {
    for page in [
        "https://www.twitch.tv/activate?public=true&device-code=ABCDEFGH",
        "https://www.twitch.tv/activate?device-code=ABCDEFGH",
        "https://www.twitch.tv/activate?device-code=ABCDEFGH&x=%7E#a",
        "https://www.twitch.tv",
    ] {
        let mut members = answer();
        members["verification_uri"] = json!(page);
        let server = cx.scripted([Reply::json(200, &members)]).await?;
        let client = public(&cx, server.base_url())?;
        let device = client.device_code(&cx.credentials().scopes).await?;
        let got = (
            device.verification_uri(),
            device.user_code(),
            device.verification_uri_complete(),
        );
        ensure!(
            got == (page, "ABCDEFGH", None),
            "sent {page}: expected it unchanged, got {got:?}"
        );
        ensure!(
            device.device_code().expose_secret() == "conformance-device-code",
            "sent a device code: expected it unchanged, got another"
        );
    }
    let counterpart = cx.counterpart().await?;
    let base_url = counterpart.base_url();
    let client = public(&cx, base_url)?;
    let device = client.device_code(&cx.credentials().scopes).await?;
    // Opening the page as it came is all that the user does.
    let page = device.verification_uri();
    let target = page.strip_prefix(base_url).unwrap_or_default();
    let opened = wire::request(base_url, "GET", target, &[], b"").await?;
    ensure!(
        opened.status() == 200,
        "opened {page}: expected 200, got {}",
        opened.status()
    );
    client.device_token(&device).await?;
    Ok(())
}
