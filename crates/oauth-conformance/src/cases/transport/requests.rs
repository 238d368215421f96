//! What every request has, when it is sent again, and what it must not carry.

use std::{net::SocketAddr, time::Duration};

use oauth_core::{
    AccessToken, Capability, RefreshToken, RetryPolicy, Token,
    grant::{self, AuthorizationCode, ClientCredentials, Grant},
};
use serde_json::json;
use tokio::net::TcpSocket;

use crate::{Context, Need, Outcome, Reply, ensure, environment};

pub(super) async fn headers(cx: Context) -> Outcome {
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    let client = cx.client(server.base_url())?;
    let can = |capability| client.provider().capabilities().contains(capability);
    let token = AccessToken::new("an-access-token")?;
    cx.ask(&client).await?;
    if can(Capability::Revocation) {
        client.revoke(&token).await?;
    }
    // A token answer is none for these; the request is what counts.
    if can(Capability::Introspection) {
        client
            .introspect(&"an-access-token".into(), None)
            .await
            .ok();
    }
    if can(Capability::DeviceCode) {
        client.device_authorization(None).await.ok();
    }
    let received = server.received();
    let media_type = if cx.lacks(Need::FormRequests) {
        "application/json"
    } else {
        "application/x-www-form-urlencoded"
    };
    let agent = received[0]
        .header("user-agent")
        .unwrap_or_default()
        .to_owned();
    ensure!(!agent.is_empty(), "expected a User-Agent, got none");
    for request in received {
        let path = request.path();
        ensure!(
            request.method() == "POST",
            "expected POST at {path}, got {}",
            request.method()
        );
        for (name, expected) in [
            ("content-type", media_type),
            ("accept", "application/json"),
            ("user-agent", &*agent),
        ] {
            let got = request.header(name);
            ensure!(
                got == Some(expected) && request.count(name) == 1,
                "expected one {name} {expected:?} at {path}, got {got:?}"
            );
        }
    }
    Ok(())
}

pub(super) async fn retries(cx: Context) -> Outcome {
    let code = AuthorizationCode::new("a-code");
    let refresh = grant::RefreshToken::new(RefreshToken::new("a-refresh-token")?);
    let service = ClientCredentials::new();
    let wait = |status: u16| Reply::new(status).header("Retry-After", "7");

    // The port is taken, but nothing listens: nothing was sent, so anything but a code may be tried again.
    let silent = TcpSocket::new_v4()?;
    silent.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let nowhere = format!("http://{}", silent.local_addr()?);
    let policy = RetryPolicy::default().with_max_retries(2);
    let client = cx.builder(&nowhere)?.retry(policy.clone()).build()?;
    let grants: [(&dyn Grant, usize); 3] = [(&service, 2), (&refresh, 2), (&code, 0)];
    for (grant, expected) in grants {
        let before = cx.clock().sleeps().len();
        let result = client.exchange(grant).await;
        let waits = cx.clock().sleeps().len() - before;
        ensure!(
            result.is_err() && waits == expected,
            "nothing listened for {}, expected an error after {expected} retries, got {waits} and {result:?}",
            grant.grant_type()
        );
    }

    // An answer that says "not now" is repeated, after its wait if it names one, but never for what
    // works once: the server may have used it up before it failed.
    let once = policy.clone().with_max_retries(1);
    for (status, seconds) in [429, 502, 503, 504]
        .into_iter()
        .flat_map(|status| [(status, None), (status, Some(7))])
    {
        let sent = format!("{status} with a wait of {seconds:?} s");
        let reply = match seconds {
            Some(_) => wait(status),
            None => Reply::new(status),
        };
        let grants: [(&dyn Grant, usize); 3] = [(&service, 2), (&refresh, 1), (&code, 1)];
        for (grant, expected) in grants {
            let before = cx.clock().sleeps().len();
            let server = cx
                .scripted([reply.clone(), cx.token_reply("conformance-access-token")])
                .await?;
            let client = cx.builder(server.base_url())?.retry(once.clone()).build()?;
            let result = client.exchange(grant).await;
            let count = server.received().len();
            ensure!(
                count == expected && result.is_ok() == (expected == 2),
                "sent {sent} to {}, expected {expected} requests, got {count} and {result:?}",
                grant.grant_type()
            );
            let waits = cx.clock().sleeps().split_off(before);
            let right = seconds.is_none_or(|seconds| {
                waits
                    .iter()
                    .all(|wait| *wait == Duration::from_secs(seconds))
            });
            ensure!(
                right && waits.len() == expected - 1,
                "sent {sent} to {}, expected {} such waits, got {waits:?}",
                grant.grant_type(),
                expected - 1
            );
        }
    }

    // Bytes have left, and no whole answer came: the server may have done it.
    for reply in [
        Reply::close(),
        Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        wait(400),
        wait(500),
    ] {
        let grants: [&dyn Grant; 3] = [&service, &refresh, &code];
        for grant in grants {
            let sent = format!("{reply:?}");
            let server = cx
                .scripted([reply.clone(), cx.token_reply("conformance-access-token")])
                .await?;
            let client = cx
                .builder(server.base_url())?
                .retry(policy.clone())
                .build()?;
            let result = client.exchange(grant).await;
            let count = server.received().len();
            ensure!(
                result.is_err() && count == 1,
                "sent {sent} to {}, expected an error and no second request, got {count} and {result:?}",
                grant.grant_type()
            );
        }
    }
    Ok(())
}

pub(super) async fn cookies(cx: Context) -> Outcome {
    let reply = cx
        .token_reply("conformance-access-token")
        .header("Set-Cookie", "session=planted; Path=/")
        .header("Set-Cookie", "other=planted");
    let server = cx.scripted([reply]).await?;
    let client = cx.client(server.base_url())?;
    for _ in 0..2 {
        cx.ask(&client).await?;
    }
    for request in server.received() {
        let cookie = request.header("cookie");
        ensure!(
            cookie.is_none(),
            "sent Set-Cookie, expected no Cookie ever, got {cookie:?}"
        );
    }
    Ok(())
}

pub(super) async fn caching(cx: Context) -> Outcome {
    let cached = |reply: Reply| {
        reply
            .header("Cache-Control", "public, max-age=3600, immutable")
            .header("Expires", "Fri, 01 Jan 2100 00:00:00 GMT")
            .header("ETag", "\"one\"")
            .header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
    };
    let server = cx
        .scripted([
            cached(cx.token_reply("first")),
            cached(Reply::json(400, &json!({"error": "invalid_scope"}))),
            cached(cx.token_reply("third")),
        ])
        .await?;
    let client = cx.client(server.base_url())?;
    let grant = cx.grant(&client);
    for expected in [Some("first"), None, Some("third")] {
        let got = client.exchange(&*grant).await.ok();
        let got = got
            .as_ref()
            .map(|token| token.access_token().expose_secret());
        ensure!(
            got == expected,
            "sent answers to be cached, expected {expected:?} in its turn, got {got:?}"
        );
    }
    if client
        .provider()
        .capabilities()
        .contains(Capability::Introspection)
    {
        let replies =
            [true, false].map(|active| cached(Reply::json(200, &json!({"active": active}))));
        let server = cx.scripted(replies).await?;
        let client = cx.client(server.base_url())?;
        for expected in [true, false] {
            let got = client
                .introspect(&"a-token".into(), None)
                .await?
                .is_active();
            ensure!(
                got == expected,
                "sent introspections to be cached, expected {expected}, got {got}"
            );
        }
    }
    for request in server.received() {
        let asked = request
            .header("if-none-match")
            .or(request.header("if-modified-since"));
        ensure!(
            asked.is_none(),
            "sent an ETag, expected no conditional request, got {asked:?}"
        );
    }
    Ok(())
}

pub(super) async fn proxies(cx: Context) -> Outcome {
    environment::check()?;
    let server = cx
        .scripted([cx.token_reply("conformance-access-token")])
        .await?;
    cx.ask(&cx.client(server.base_url())?).await?;
    let received = server.received();
    ensure!(
        received.len() == 1,
        "expected the request at its server, got {}",
        received.len()
    );
    // A proxy is asked with the whole URL, and says that it was there.
    ensure!(
        received[0].target().starts_with('/') && received[0].header("via").is_none(),
        "expected the request to come straight to loopback, got {}",
        received[0].target()
    );
    Ok(())
}
