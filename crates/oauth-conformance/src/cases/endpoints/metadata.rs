//! What an authorization server says of itself.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use oauth_core::{Error, ErrorKind, Limits, ServerMetadata, Transport, TransportError};
use serde_json::{Value, json};

use super::{error_of, expect};
use crate::{Context, Failure, Outcome, Reply, ScriptedServer, WatchedTransport, ensure};

/// Notes what each exchange was allowed to take, and then allows it at most this time.
#[derive(Debug)]
struct Noted {
    inner: WatchedTransport,
    total: Duration,
    limits: Mutex<Vec<Limits>>,
}

#[async_trait]
impl Transport for Noted {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(limits);
        let shorter = limits.with_total(limits.total.min(self.total));
        self.inner.send(request, shorter).await
    }
}

pub(in crate::cases) async fn of_the_issuer_asked_for(cx: Context) -> Outcome {
    another_issuer(&cx).await?;
    unsafe_endpoints(&cx).await?;
    limits(&cx).await
}

async fn another_issuer(cx: &Context) -> Outcome {
    for path in ["", "/tenant"] {
        // The server must know its own address before it can say it.
        let found = discovered(
            cx,
            path,
            |issuer| json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token")}),
        )
        .await?;
        let found = found.1?;
        ensure!(
            found.issuer().ends_with(path),
            "asked {path:?}, expected that issuer, got {}",
            found.issuer()
        );
    }
    let bends: [fn(&str) -> Value; 11] = [
        |issuer| json!(format!("{issuer}/")),
        |issuer| json!(issuer.replace("http://", "https://")),
        |issuer| json!(issuer.replace("http://", "HTTP://")),
        |issuer| json!(issuer.replace("127.0.0.1", "localhost")),
        |issuer| json!(format!("{issuer}?")),
        |issuer| json!(format!(" {issuer}")),
        |issuer| json!([issuer]),
        |_| json!("https://elsewhere.invalid"),
        |_| json!(""),
        |_| json!(null),
        |_| json!(7),
    ];
    for bend in bends {
        let (sent, result) = discovered(
            cx,
            "",
            |issuer| json!({"issuer": bend(issuer), "token_endpoint": format!("{issuer}/token")}),
        )
        .await?;
        let error = error_of(result, &sent)?;
        expect::is(&error, ErrorKind::Protocol, &sent)?;
    }
    Ok(())
}

async fn unsafe_endpoints(cx: &Context) -> Outcome {
    for name in [
        "token_endpoint",
        "authorization_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "userinfo_endpoint",
    ] {
        for url in [
            json!("http://id.elsewhere.invalid/x"),
            json!("http://10.0.0.1/x"),
            json!("file:///etc/passwd"),
            json!("javascript:alert(1)"),
            json!("https://user:pw@id.elsewhere.invalid/x"),
            json!("https://id.elsewhere.invalid/x#f"),
            json!("/relative"),
            json!(""),
            json!(["https://id.elsewhere.invalid/x"]),
        ] {
            let (sent, found) = discovered(cx, "", |issuer| {
                let mut members =
                    json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token")});
                members[name] = url.clone();
                members
            })
            .await?;
            let error = error_of(found.and_then(|found| found.endpoints()), &sent)?;
            expect::is(&error, ErrorKind::Protocol, &sent)?;
        }
    }
    Ok(())
}

async fn limits(cx: &Context) -> Outcome {
    let json = || Reply::new(200).header("Content-Type", "application/json");
    let (short, long) = (Duration::from_millis(400), Duration::from_secs(20));
    for (sent, reply, total, kind) in [
        (
            "endless metadata",
            json().header("Transfer-Encoding", "chunked").endless(),
            long,
            ErrorKind::Protocol,
        ),
        (
            "metadata that never come",
            Reply::silence(),
            short,
            ErrorKind::Transport,
        ),
        (
            "metadata that drip",
            json()
                .body(" ".repeat(4096))
                .drip(Duration::from_millis(50)),
            short,
            ErrorKind::Transport,
        ),
        (
            "metadata elsewhere",
            Reply::new(302).header("Location", "https://elsewhere.invalid/"),
            long,
            ErrorKind::Protocol,
        ),
        (
            "metadata as a page",
            Reply::new(200)
                .header("Content-Type", "text/html")
                .body("<p>"),
            long,
            ErrorKind::Protocol,
        ),
    ] {
        let server = cx.scripted([reply]).await?;
        let transport = Arc::new(Noted {
            inner: cx.transport(),
            total,
            limits: Mutex::default(),
        });
        let error = error_of(
            ServerMetadata::discover(server.base_url(), transport.clone()).await,
            sent,
        )?;
        expect::is(&error, kind, sent)?;
        let noted = transport
            .limits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let bounded = !noted.is_empty()
            && noted.iter().all(|limits| {
                limits.body <= 1024 * 1024 && limits.total <= Duration::from_secs(60)
            });
        ensure!(
            bounded,
            "sent {sent}, expected limits of size and time for each request, got {noted:?}"
        );
    }
    // Nothing is kept: each call asks again, so nothing can be kept for too long.
    let server = cx.scripted([Reply::new(404)]).await?;
    let transport = Arc::new(cx.transport());
    for calls in 1..=2 {
        let result = ServerMetadata::discover(server.base_url(), transport.clone()).await;
        let requests = server.received().len();
        ensure!(
            result.is_err() && requests == 2 * calls,
            "asked {calls} times, expected two requests each, got {requests}"
        );
    }
    Ok(())
}

/// What comes of asking for the metadata of a server at `path` that answers with `members` of its
/// own address, and what was sent.
async fn discovered(
    cx: &Context,
    path: &str,
    members: impl Fn(&str) -> Value,
) -> Result<(String, Result<ServerMetadata, Error>), Failure> {
    let server: ScriptedServer = cx.scripted([]).await?;
    let issuer = format!("{}{path}", server.base_url());
    let members = members(&issuer);
    server.reply(Reply::json(200, &members));
    let transport = Arc::new(cx.transport());
    Ok((
        members.to_string(),
        ServerMetadata::discover(&issuer, transport).await,
    ))
}
