//! Rows about tokens that are kept, and forgotten.

use std::time::Duration;

use ::ministry_platform::{ErrorKind, oauth_core::Token};
use oauth_conformance::{Case, Context, Failure, Need, Outcome, Received, Reply, cases, ensure};

use super::{
    ROW, builder, came, client, failed, fails, gate::Gate, order, recorded, row, text, token,
};

pub(super) const CASES: &[Case] = cases! {
    "MP-15" [Need::Counterpart] => two_churches,
    "MP-17" [] => invalidate_and_clear,
};

/// Two churches in one process share nothing, though clients, users and transport are the same.
async fn two_churches(cx: Context) -> Outcome {
    let (here, there) = (cx.counterpart().await?, cx.counterpart().await?);
    let (first, second) = (
        client(&cx, here.base_url())?,
        client(&cx, there.base_url())?,
    );
    let one = first
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    let other = second
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    ensure!(
        one.access_token() != other.access_token(),
        "two churches: expected two tokens, got one"
    );
    let steps = [
        "password",
        ROW,
        "client_credentials",
        "password",
        ROW,
        "client_credentials",
    ];
    first.clear().await.map_err(failed)?;
    first
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    second
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    came(
        "the first one cleared",
        &recorded(&here.control().requests().await?),
        &steps,
    )?;
    came(
        "the other one",
        &recorded(&there.control().requests().await?),
        &steps[..3],
    )?;
    second
        .invalidate_token("demo-client")
        .await
        .map_err(failed)?;
    let kept = first
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    let foreign = second
        .valid_token(kept.access_token())
        .await
        .map_err(failed)?;
    ensure!(
        !foreign,
        "a token of the first church at the other: expected it to be unknown, got it valid"
    );

    // One that is down makes its own callers wait.
    let down = cx
        .scripted([Reply::new(503).header("Retry-After", "5")])
        .await?;
    fails(
        "a church that is down",
        client(&cx, down.base_url())?.authenticate().await,
        ErrorKind::Server,
    )?;
    let slept = cx.clock().sleeps();
    second
        .authenticate_client("demo-client")
        .await
        .map_err(failed)?;
    first.clear().await.map_err(failed)?;
    first.authenticate().await.map_err(failed)?;
    let more = cx.clock().sleeps();
    ensure!(
        !slept.is_empty() && more == slept,
        "the others beside a church that is down: expected no wait after {slept:?}, got {more:?}"
    );
    Ok(())
}

/// `invalidate_token` is by client id: its next call makes one request, the others keep theirs.
/// A fetch that is under way does not bring a forgotten token back.
async fn invalidate_and_clear(cx: Context) -> Outcome {
    let script = [
        token("u1"),
        row("c", "s"),
        token("c1"),
        row("d", "s"),
        token("d1"),
        token("c2"),
        token("u2"),
    ];
    let server = cx.scripted(script).await?;
    let church = client(&cx, server.base_url())?;
    let mut steps = vec![
        "password",
        ROW,
        "client_credentials",
        ROW,
        "client_credentials",
    ];
    fetch(&church, "c", "c1").await?;
    fetch(&church, "d", "d1").await?;
    church.invalidate_token("c").await.map_err(failed)?;
    fetch(&church, "c", "c2").await?;
    fetch(&church, "d", "d1").await?;
    steps.push("client_credentials");
    came(
        "a client's token invalidated",
        &order(&server.received()),
        &steps,
    )?;
    // The default user's token is that of the configured client.
    church.invalidate_token("demo").await.map_err(failed)?;
    let user = church.authenticate().await.map_err(failed)?;
    ensure!(
        text(&*user) == "u2",
        "the user's token invalidated: expected u2, got {}",
        text(&*user)
    );
    fetch(&church, "c", "c2").await?;
    steps.push("password");
    came(
        "the user's token invalidated",
        &order(&server.received()),
        &steps,
    )?;
    fails(
        "an unknown id",
        church.invalidate_token("nobody").await,
        ErrorKind::NotCached,
    )?;
    fails(
        "an impossible id",
        church.invalidate_token("a\nb").await,
        ErrorKind::NotCached,
    )?;
    church.clear().await.map_err(failed)?;
    for id in ["c", "d", "demo"] {
        fails(
            "invalidate after clear",
            church.invalidate_token(id).await,
            ErrorKind::NotCached,
        )?;
    }

    for clear in [false, true] {
        let sent = if clear { "clear" } else { "invalidate_token" };
        let server = cx.scripted([token("old"), token("new")]).await?;
        let gate = Gate::closed(cx.transport());
        let church = builder(&cx, server.base_url())
            .transport(gate.clone())
            .build()
            .map_err(failed)?;
        let waiting = church.clone();
        let fetch = tokio::spawn(async move { waiting.authenticate().await });
        gate.arrival().await?;
        if clear {
            church.clear().await.map_err(failed)?;
        } else {
            church.invalidate_token("demo").await.map_err(failed)?;
        }
        gate.pass();
        let late = fetch
            .await
            .map_err(|error| Failure::new(error.to_string()))?
            .map_err(failed)?;
        gate.pass();
        let next = church.authenticate().await.map_err(failed)?;
        let kept = church.authenticate().await.map_err(failed)?;
        let got = [text(&*late), text(&*next), text(&*kept)];
        ensure!(
            got == ["old", "new", "new"],
            "{sent} with a fetch under way: expected old for who waits, then new, got {got:?}"
        );
        came(sent, &order(&server.received()), &["password", "password"])?;
    }

    // A token that is kept ends: it is renewed five minutes before.
    let server = cx.scripted([token("t1"), token("t2")]).await?;
    let church = client(&cx, server.base_url())?;
    for (wait, expected) in [(0, "t1"), (3299, "t1"), (1, "t2")] {
        cx.clock().advance(Duration::from_secs(wait));
        let got = church.authenticate().await.map_err(failed)?;
        ensure!(
            text(&*got) == expected,
            "{wait} s later: expected {expected}, got {}",
            text(&*got)
        );
    }
    let logins = server.received().iter().map(Received::path).count();
    ensure!(
        logins == 2,
        "two tokens: expected two requests, got {logins}"
    );
    Ok(())
}

async fn fetch(church: &::ministry_platform::Authentication, id: &str, expected: &str) -> Outcome {
    let got = church.authenticate_client(id).await.map_err(failed)?;
    ensure!(
        text(&*got) == expected,
        "the client {id}: expected {expected}, got {}",
        text(&*got)
    );
    Ok(())
}
