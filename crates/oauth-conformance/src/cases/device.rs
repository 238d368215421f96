//! A4, first half: what the device grant sends, and what it makes of the device answer.

mod polling;

use std::time::Duration;

use oauth_core::{
    Capability::DeviceCode, Client, DeviceAuthorization, Error, ErrorKind, secrecy::ExposeSecret,
};
use serde_json::{Value, json};

use super::client_authentication::presented;
use crate::{
    Case, Context, Failure,
    Need::{Can, ClientAuthenticationMethods},
    Outcome, Reply, ScriptedServer, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "REQ-35" [Can(DeviceCode)] => device_request,
    "REQ-36" [Can(DeviceCode)] => poll_request,
    "REQ-37" [Can(DeviceCode)] => polling::interval,
    "REQ-38" [Can(DeviceCode)] => polling::slow_down,
    "REQ-39" [Can(DeviceCode)] => polling::each_refusal,
    "REQ-40" [Can(DeviceCode)] => polling::backs_off,
    "REQ-41" [Can(DeviceCode)] => polling::deadline,
    "REQ-42" [Can(DeviceCode)] => polling::retry_after,
    "REQ-43" [Can(DeviceCode)] => verification_url,
    "REQ-44" [Can(DeviceCode)] => odd_intervals,
    "REQ-45" [Can(DeviceCode)] => hostile_texts,
    "REQ-46" [Can(DeviceCode)] => polling::dropped,
};

/// A device answer; `interval` of 5 s, half an hour of life.
fn device_answer() -> Value {
    json!({
        "device_code": "conformance-device-code",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://id.example.com/device",
        "expires_in": 1800,
        "interval": 5,
    })
}

fn device_answer_with(member: &str, value: Value) -> Value {
    let mut answer = device_answer();
    answer[member] = value;
    answer
}

/// A server that gives this device answer and then these, and the target's client that asked it.
async fn started(
    cx: &Context,
    answer: Value,
    replies: impl IntoIterator<Item = Reply>,
) -> Result<(ScriptedServer, Client, DeviceAuthorization), Failure> {
    let replies = [Reply::json(200, &answer)].into_iter().chain(replies);
    let server = cx.scripted(replies).await?;
    let client = cx.client(server.base_url())?;
    let device = client
        .device_authorization(Some(&cx.credentials().scopes))
        .await?;
    Ok((server, client, device))
}

/// What the target's client makes of a device answer.
async fn read(cx: &Context, answer: &Value) -> Result<Result<DeviceAuthorization, Error>, Failure> {
    let server = cx.scripted([Reply::json(200, answer)]).await?;
    Ok(cx
        .client(server.base_url())?
        .device_authorization(None)
        .await)
}

async fn device_request(cx: Context) -> Outcome {
    let own = cx.credentials();
    let server = cx.scripted([Reply::json(200, &device_answer())]).await?;
    let confidential = cx.client(server.base_url())?;
    confidential.device_authorization(Some(&own.scopes)).await?;
    confidential.device_authorization(None).await?;
    let mut received = server.received();
    if own.public_client_id.is_some() {
        cx.public_client(server.base_url())?
            .device_authorization(Some(&own.scopes))
            .await?;
        received = server.received();
        let public = presented(&received[2]);
        ensure!(
            public == own.public_client_id.map(|id| (id, None)),
            "a public client asked, expected its id alone, got {:?}",
            public.map(|(id, _)| id)
        );
    }
    for request in &received {
        let kind = request.header("content-type").unwrap_or_default();
        ensure!(
            request.method() == "POST" && kind == "application/x-www-form-urlencoded",
            "expected a POST of a form, got {} of {kind}",
            request.method()
        );
    }
    // Twitch's name for it is the plural.
    let scope = |index: usize| {
        let request = &received[index];
        request.param("scope").or_else(|| request.param("scopes"))
    };
    let asked = own.scopes.to_string();
    ensure!(
        scope(0) == Some(asked.clone()),
        "asked for {asked:?}, got {:?}",
        scope(0)
    );
    ensure!(
        scope(1).is_none(),
        "asked for no scope, expected no parameter, got {:?}",
        scope(1)
    );
    let client = presented(&received[0]);
    let id = client.as_ref().map(|(id, _)| id.clone());
    ensure!(
        id.as_ref() == Some(&own.client_id),
        "expected the client's id, got {id:?}"
    );
    // A provider with a way of its own may want the id alone.
    if !cx.target().lacks().contains(&ClientAuthenticationMethods) {
        let secret = client.and_then(|(_, secret)| secret);
        ensure!(
            secret.as_deref() == Some(own.client_secret.expose_secret()),
            "a confidential client asked, expected it to authenticate, got no secret or another"
        );
    }
    Ok(())
}

async fn poll_request(cx: Context) -> Outcome {
    let own = cx.credentials();
    let (server, client, device) = started(
        &cx,
        device_answer(),
        [cx.token_reply("conformance-access-token")],
    )
    .await?;
    client.poll_device(&device).await?;
    let mut polls = vec![(server.received().remove(1), own.client_id.clone())];
    if let Some(id) = own.public_client_id {
        let server = cx
            .scripted([
                Reply::json(200, &device_answer()),
                cx.token_reply("conformance-access-token"),
            ])
            .await?;
        let client = cx.public_client(server.base_url())?;
        let device = client.device_authorization(None).await?;
        client.poll_device(&device).await?;
        let poll = server.received().remove(1);
        ensure!(
            poll.param("client_id").as_deref() == Some(&*id),
            "a public client polled, expected its client_id in the body, got {:?}",
            poll.param("client_id")
        );
        polls.push((poll, id));
    }
    for (poll, id) in polls {
        for (name, expected) in [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", "conformance-device-code"),
        ] {
            let got = poll.param(name);
            ensure!(
                got.as_deref() == Some(expected),
                "expected {name}={expected}, got {got:?}"
            );
        }
        let got = presented(&poll).map(|(id, _)| id);
        ensure!(
            got.as_ref() == Some(&id),
            "expected the client {id}, got {got:?}"
        );
    }
    Ok(())
}

async fn verification_url(cx: Context) -> Outcome {
    let mut answer = device_answer_with("verification_url", json!("https://id.example.com/old"));
    let both = read(&cx, &answer).await??;
    ensure!(
        both.verification_uri() == "https://id.example.com/device",
        "sent both spellings, expected verification_uri, got {}",
        both.verification_uri()
    );
    if let Some(members) = answer.as_object_mut() {
        members.remove("verification_uri");
    }
    let alias = read(&cx, &answer).await??;
    ensure!(
        alias.verification_uri() == "https://id.example.com/old",
        "sent verification_url, expected it as the alias, got {}",
        alias.verification_uri()
    );
    Ok(())
}

async fn odd_intervals(cx: Context) -> Outcome {
    for (interval, least, most) in [
        (json!(null), 5, 5),
        (json!(7), 7, 7),
        (json!("7"), 7, 7),
        (json!(0), 1, 1),
        (json!(-3), 1, 60),
        (json!(0.4), 1, 60),
        (json!(1_000_000_000_000_u64), 60, 60),
        (json!(1e300), 60, 60),
        (json!("soon"), 1, 60),
        (json!([5]), 1, 60),
    ] {
        let got = read(&cx, &device_answer_with("interval", interval.clone()))
            .await??
            .interval();
        let allowed = Duration::from_secs(least)..=Duration::from_secs(most);
        ensure!(
            allowed.contains(&got),
            "sent interval {interval}, expected {allowed:?}, got {got:?}"
        );
    }
    let mut answer = device_answer();
    if let Some(members) = answer.as_object_mut() {
        members.remove("interval");
    }
    let got = read(&cx, &answer).await??.interval();
    ensure!(
        got == Duration::from_secs(5),
        "sent no interval, expected 5 s, got {got:?}"
    );
    Ok(())
}

async fn hostile_texts(cx: Context) -> Outcome {
    for uri in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,hello",
        "ms-settings:display",
        "ftp://id.example.com/device",
        " javascript:alert(1)",
        "https://id.example.com/\u{1b}[2Jdevice",
        "https://id.example.com/de\nvice",
        "/device",
    ] {
        for member in ["verification_uri", "verification_uri_complete"] {
            match read(&cx, &device_answer_with(member, json!(uri))).await? {
                Err(error) if error.kind() == ErrorKind::Protocol => {}
                other => ensure!(
                    false,
                    "sent {member} {uri:?}, expected it refused, got {other:?}"
                ),
            }
        }
    }
    let hostile = "AB\u{7}CD\u{1b}[2J\r\n\u{9b}\0EF";
    let device = read(&cx, &device_answer_with("user_code", json!(hostile))).await??;
    ensure!(
        device.user_code() == "ABCD[2JEF",
        "sent the user code {hostile:?}, expected no control characters, got {:?}",
        device.user_code()
    );
    for empty in ["", "\u{1b}\u{7}"] {
        let result = read(&cx, &device_answer_with("user_code", json!(empty))).await?;
        ensure!(
            result.is_err(),
            "sent the user code {empty:?}, expected an error, got {result:?}"
        );
    }
    let shown = format!("{device:?}");
    ensure!(
        !shown.contains("ABCD") && !shown.contains("conformance-device-code"),
        "expected no code in Debug, got {shown}"
    );
    Ok(())
}
