//! Rows about secrets that were looked up, and what happens when they change.

use std::{error::Error as _, time::Duration};

use ::ministry_platform::ErrorKind;
use oauth_conformance::{Case, Context, Need, Outcome, Received, cases, ensure};
use oauth_core::Recovery;
use serde_json::json;

use super::{ROW, came, client, failed, fails, oauth_error, order, recorded, row, token};

pub(super) const CASES: &[Case] = cases! {
    "MP-08" [] => two_minutes_at_most,
    "MP-16" [Need::Counterpart] => rotation,
};

/// The server keeps what it read of a client for two minutes, and so does the client; a refused
/// secret is read once more. Nothing that is printed shows one.
async fn two_minutes_at_most(cx: Context) -> Outcome {
    let script = [
        token("u"),
        row("c", "SECRET-1"),
        token("t"),
        token("t"),
        row("c", "SECRET-2"),
        token("t"),
    ];
    let server = cx.scripted(script).await?;
    let church = client(&cx, server.base_url())?;
    for wait in [0, 119, 1] {
        cx.clock().advance(Duration::from_secs(wait));
        if wait > 0 {
            church.invalidate_token("c").await.map_err(failed)?;
        }
        church.authenticate_client("c").await.map_err(failed)?;
    }
    let kept = [
        "password",
        ROW,
        "client_credentials",
        "client_credentials",
        ROW,
        "client_credentials",
    ];
    let received = server.received();
    came("a token at 0 s, 119 s and 120 s", &order(&received), &kept)?;
    let used = received.last().and_then(|got| got.param("client_secret"));
    ensure!(
        used.as_deref() == Some("SECRET-2"),
        "at 120 s: expected the new secret, got {used:?}"
    );
    let shown = format!("{church:?}");
    ensure!(
        !shown.contains("SECRET"),
        "printed: expected no secret, got {shown}"
    );

    let refusal = || oauth_error("invalid_client");
    let first = [token("u"), row("c", "SECRET-1"), refusal()];
    for (sent, rest, works, requests, secrets) in [
        (
            "a new secret",
            vec![row("c", "SECRET-2"), token("t")],
            true,
            5,
            &["SECRET-1", "SECRET-2"][..],
        ),
        (
            "a new secret, refused",
            vec![row("c", "SECRET-2"), refusal()],
            false,
            5,
            &["SECRET-1", "SECRET-2"],
        ),
        (
            "the same secret",
            vec![row("c", "SECRET-1")],
            false,
            4,
            &["SECRET-1"],
        ),
    ] {
        let server = cx.scripted([&first[..], &rest[..]].concat()).await?;
        let church = client(&cx, server.base_url())?;
        let result = church.authenticate_client("c").await;
        if works {
            result.map_err(failed)?;
        } else {
            let error = fails(sent, result, ErrorKind::ClientRefused)?;
            let shown = format!("{error} {error:?} {:?}", error.source());
            ensure!(
                !shown.contains("SECRET"),
                "{sent}: expected no secret in the error, got {shown}"
            );
        }
        let received = server.received();
        let posted = |got: &Received| {
            got.param("client_secret")
                .filter(|secret| secret != "demo-secret")
        };
        let got: Vec<_> = received.iter().filter_map(posted).collect();
        ensure!(
            received.len() == requests && got == secrets,
            "{sent}: expected {requests} requests with the secrets {secrets:?}, got {} with {got:?}",
            received.len()
        );
        let urls: Vec<_> = received.iter().map(Received::target).collect();
        ensure!(
            !urls.concat().contains("SECRET"),
            "{sent}: expected no secret in a URL, got {urls:?}"
        );
    }
    Ok(())
}

/// A secret that was changed works within the server's two minutes and ours; until then the error
/// says why, and requests are few.
async fn rotation(cx: Context) -> Outcome {
    let counterpart = cx.counterpart().await?;
    let control = counterpart.control();
    let church = client(&cx, counterpart.base_url())?;
    church
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    let again = || async {
        church.invalidate_token("demo-client").await.ok();
        church.authenticate_client("demo-client").await
    };
    control
        .post(
            "clients",
            &json!({"client_id": "demo-client", "client_secret": "changed"}),
        )
        .await?;
    // Theirs and ours are the old one.
    again().await.map_err(failed)?;
    let mut expected = vec!["password", ROW, "client_credentials", "client_credentials"];
    came(
        "a secret changed a moment ago",
        &recorded(&control.requests().await?),
        &expected,
    )?;

    // Ours is read again, theirs is not yet.
    cx.clock().advance(Duration::from_secs(120));
    let error = fails(
        "our two minutes are over",
        again().await,
        ErrorKind::ClientRefused,
    )?;
    let after = Some(Duration::from_secs(120));
    ensure!(
        error.recovery() == Recovery::Retry { after } && error.to_string().contains("two minutes"),
        "a secret the server has not read: expected to be told of two minutes, got {:?}: {error}",
        error.recovery()
    );
    expected.extend([ROW, "client_credentials", ROW]);
    came(
        "the row is newer than the server",
        &recorded(&control.requests().await?),
        &expected,
    )?;

    control.advance(120).await?;
    again().await.map_err(failed)?;
    expected.push("client_credentials");
    came(
        "two minutes later",
        &recorded(&control.requests().await?),
        &expected,
    )
}
