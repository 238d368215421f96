//! B6: the answers of the other endpoints.

mod challenge;
mod metadata;

use oauth_core::{
    AccessToken, Capability, Client, Error, ErrorCode, ErrorKind, Recovery, RetryPolicy, Scopes,
    secrecy::SecretString,
};
use serde_json::{Value, json};

use super::expect;
use crate::{
    Case, Context, Failure,
    Need::{self, Can},
    Outcome, Reply, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "RSP-88" [Can(Capability::Introspection)] => introspection,
    "RSP-89" [Can(Capability::Revocation)] => revocation,
    "RSP-90" [Can(Capability::Discovery)] => metadata::of_the_issuer_asked_for,
    "RSP-91" [Can(Capability::ClientCredentials)] => challenges,
};

async fn introspection(cx: Context) -> Outcome {
    let ask = async |reply: Reply| -> Result<
        (Result<oauth_core::Introspection, Error>, Option<String>),
        Failure,
    > {
        let server = cx.scripted([reply]).await?;
        let result = cx
            .client(server.base_url())?
            .introspect(&SecretString::from("t"), None)
            .await;
        let accept = server
            .received()
            .first()
            .and_then(|request| request.header("accept").map(str::to_owned));
        Ok((result, accept))
    };
    let body = json!({"active": true, "scope": "b a", "sub": "s", "client_id": "c", "exp": 4_102_444_800_u64, "x": [1]});
    let (result, accept) = ask(Reply::json(200, &body)).await?;
    let active = result?;
    ensure!(
        accept.as_deref() == Some("application/json"),
        "asked, expected Accept: application/json, got {accept:?}"
    );
    let scopes = active.scopes() == Some(Scopes::new(["a", "b"])?);
    let kept =
        scopes && active.subject() == Some("s") && active.members().get("x") == Some(&json!([1]));
    ensure!(
        active.is_active() && kept,
        "sent {body}, expected all of it, got {:?}",
        active.members()
    );

    let body = json!({"active": false, "sub": "s", "scope": "a", "client_id": "c", "exp": 4_102_444_800_u64});
    let dead = ask(Reply::json(200, &body)).await?.0?;
    let hidden = !dead.is_active()
        && dead.members().is_empty()
        && dead.subject().is_none()
        && dead.scopes().is_none();
    ensure!(
        hidden,
        "sent {body}, expected nothing but active: false, got {:?}",
        dead.members()
    );

    let others = [
        json!("true"),
        json!(1),
        json!(null),
        json!([true]),
        json!({}),
        json!("yes"),
    ];
    let mut bad: Vec<(String, Reply)> = others
        .into_iter()
        .map(|active| {
            (
                format!("active {active}"),
                Reply::json(200, &json!({"active": active, "sub": "s"})),
            )
        })
        .collect();
    let jwt = Reply::new(200)
        .header("Content-Type", "application/token-introspection+jwt")
        .body("eyJh.eyJh.c2ln");
    let twice = Reply::new(200)
        .header("Content-Type", "application/json")
        .body(r#"{"active":false,"active":true}"#);
    bad.extend([
        (
            "no active".to_owned(),
            Reply::json(200, &json!({"sub": "s"})),
        ),
        (
            "an array".to_owned(),
            Reply::json(200, &json!([{"active": true}])),
        ),
        ("active twice".to_owned(), twice),
        ("a JWT that was not asked for".to_owned(), jwt),
        ("nothing".to_owned(), Reply::new(204)),
    ]);
    for (sent, reply) in bad {
        let error = error_of(ask(reply).await?.0, &sent)?;
        expect::is(&error, ErrorKind::Protocol, &sent)?;
    }
    Ok(())
}

async fn revocation(cx: Context) -> Outcome {
    let token = AccessToken::new("conformance-access-token")?;
    let revoke = async |reply: Reply| -> Result<Result<(), Error>, Failure> {
        let server = cx.scripted([reply]).await?;
        Ok(cx.client(server.base_url())?.revoke(&token).await)
    };
    let html = Reply::new(200)
        .header("Content-Type", "text/html")
        .body("<p>done</p>");
    for (sent, reply) in [
        ("an empty 200", Reply::new(200)),
        ("200 with {}", Reply::json(200, &json!({}))),
        ("200 with JSON", Reply::json(200, &json!({"revoked": true}))),
        ("200 with HTML", html),
        (
            "200 with cut JSON",
            Reply::json(200, &Value::Null).body("{\"a\":"),
        ),
        ("200 with bytes", Reply::new(200).body(vec![0xff, 0xfe, 0])),
    ] {
        let result = revoke(reply).await?;
        ensure!(
            result.is_ok(),
            "sent {sent}, expected success, got {result:?}"
        );
    }
    let error = error_of(
        revoke(Reply::new(503).header("Retry-After", "5")).await?,
        "503",
    )?;
    expect::is_transient(&error, "503")?;
    let wait = error.retry_after().map(|wait| wait.as_secs());
    ensure!(
        wait == Some(5),
        "sent 503 with Retry-After 5, expected 5 s, got {wait:?}"
    );
    if let Some((status, body)) = cx.target().refusal("unsupported_token_type") {
        let reply = Reply::new(status)
            .header("Content-Type", "application/json")
            .body(body);
        let error = error_of(revoke(reply).await?, "unsupported_token_type")?;
        let code = error.code();
        ensure!(
            code == Some(&ErrorCode::UnsupportedTokenType),
            "sent unsupported_token_type, expected it, got {code:?}"
        );
    }
    for status in [401, 403, 405, 415] {
        let sent = format!("{status} with a page");
        let error = error_of(
            revoke(
                Reply::new(status)
                    .header("Content-Type", "text/html")
                    .body("<p>"),
            )
            .await?,
            &sent,
        )?;
        ensure!(
            !error.is_transient(),
            "sent {sent}, expected a final error, got {:?}",
            error.recovery()
        );
    }
    Ok(())
}

async fn challenges(cx: Context) -> Outcome {
    challenge::read_whole_or_not_at_all(cx.clone()).await?;
    let capabilities = cx.target().provider("http://127.0.0.1:9")?.capabilities();
    if capabilities.contains(Capability::UserInfo) {
        protected_resource(&cx).await?;
    }
    Ok(())
}

/// What a protected resource says in its challenge (RFC 6750 §3.1) comes out as the error's code.
async fn protected_resource(cx: &Context) -> Outcome {
    let token = AccessToken::new("conformance-access-token")?;
    for (status, code, renew) in [
        (401, ErrorCode::InvalidToken, true),
        (403, ErrorCode::InsufficientScope, false),
    ] {
        let challenge = format!(
            "Bearer realm=\"x\", error=\"{}\", error_description=\"no\", scope=\"a b\"",
            code.as_str()
        );
        // A server with refusals of its own says it in its own words as well, if it has any.
        let own = cx.target().refusal(code.as_str()).map(|(_, body)| body);
        if cx.lacks(Need::StandardErrors) && own.is_none() {
            continue;
        }
        let reply = Reply::new(status)
            .header("WWW-Authenticate", &challenge)
            .header("Content-Type", "application/json");
        let server = cx
            .scripted([reply.body(
                own.filter(|_| cx.lacks(Need::StandardErrors))
                    .unwrap_or_default(),
            )])
            .await?;
        let client = patient(cx, server.base_url())?;
        let sent = format!("{status} with {challenge}");
        let error = error_of(client.userinfo(&token).await, &sent)?;
        expect::is(&error, ErrorKind::OAuth, &sent)?;
        let got = error.code();
        ensure!(
            got == Some(&code),
            "sent {sent}, expected {code}, got {got:?}"
        );
        let got = error.recovery();
        ensure!(
            (got == Recovery::Renew) == renew && !error.needs_reauthorization(),
            "sent {sent}, expected a renewal: {renew}, got {got:?}"
        );
        let received = server.received();
        ensure!(
            received.len() == 1,
            "sent {sent}, expected one request, got {}",
            received.len()
        );
        let got = received[0].header("authorization");
        ensure!(
            got == Some("Bearer conformance-access-token"),
            "asked userinfo, expected the token as Bearer, got {got:?}"
        );
    }
    // A plain 401 is no proof that a session is dead.
    let server = cx.scripted([Reply::new(401)]).await?;
    let error = error_of(
        patient(cx, server.base_url())?.userinfo(&token).await,
        "an empty 401",
    )?;
    let requests = server.received().len();
    ensure!(
        requests == 1 && !error.is_transient(),
        "sent an empty 401, expected one request, got {requests}"
    );
    Ok(())
}

/// The target's client with the usual retries.
fn patient(cx: &Context, base_url: &str) -> Result<Client, Failure> {
    Ok(cx
        .builder(base_url)?
        .retry(RetryPolicy::default())
        .build()?)
}

fn error_of<T>(result: Result<T, Error>, sent: &str) -> Result<Error, Failure> {
    result
        .err()
        .ok_or_else(|| Failure::new(format!("sent {sent}, expected an error, got success")))
}
