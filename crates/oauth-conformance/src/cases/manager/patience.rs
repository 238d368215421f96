//! What is not asked again at once, and a token without an end.

use std::time::Duration;

use oauth_core::{
    Capability::{ClientCredentials, RefreshToken as Refresh},
    store::Subject,
};

use super::setting::{LIFE, Setting, fails, gives};
use crate::{
    Case, Context,
    Need::{Can, StandardExpiry},
    Outcome, Reply, cases, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "RSP-19" [Can(ClientCredentials), StandardExpiry] => without_an_end,
    "RSP-77" [Can(Refresh)] => told_to_wait,
};

/// More requests in a minute than a client may make that waits twice as long each time.
const MANY: usize = 10;
/// As many requests in a minute as come from a client that waits half a minute or longer.
const FEW: usize = 2;

/// A client whose secret is wrong, and a program that asks every 100 ms for a minute.
pub(in crate::cases) async fn credentials_in_a_loop(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let refusal = cx.refusal("invalid_client")?;
    at.server.model(move |_| refusal.clone());
    let tokens = at.in_memory()?;
    for _ in 0..600 {
        fails(tokens.get(&Subject::Client, None).await, "a wrong secret")?;
        at.clock.advance(Duration::from_millis(100));
    }
    let count = at.asked().len();
    ensure!(
        (1..=MANY).contains(&count),
        "a wrong secret, asked with every 100 ms for a minute: expected at most {MANY} requests, got {count}"
    );
    for _ in 0..600 {
        fails(tokens.get(&Subject::Client, None).await, "a wrong secret")?;
        at.clock.advance(Duration::from_millis(100));
    }
    let later = at.asked().len() - count;
    ensure!(
        later <= FEW,
        "in the minute after that: expected at most {FEW} requests, got {later}"
    );
    Ok(())
}

async fn told_to_wait(cx: Context) -> Outcome {
    for status in [429, 503] {
        let at = Setting::new(&cx).await?;
        let tokens = at.in_memory()?;
        let user = at.session(&tokens).await?;
        at.server
            .model(move |_| Reply::new(status).header("Retry-After", "120"));
        at.expire();
        for _ in 0..20 {
            let error = fails(tokens.get(&user, None).await, "told to wait")?;
            ensure!(
                error.is_transient(),
                "sent {status} and Retry-After 120, expected a transient error, got {:?}",
                error.recovery()
            );
            at.clock.advance(Duration::from_secs(5));
        }
        at.came(1, "asked 20 times in 100 s after Retry-After 120")?;
        at.clock.advance(Duration::from_secs(21));
        fails(tokens.get(&user, None).await, "told to wait again")?;
        at.came(2, "asked once more after 120 s")?;
    }
    Ok(())
}

/// A token without an end is good until the API says otherwise; with a default it ends with that.
async fn without_an_end(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let target = cx.clone();
    let count = std::sync::atomic::AtomicUsize::new(0);
    at.server.model(move |_| {
        let number = 1 + count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut answer = target.target().token_answer(&format!("endless-{number}"));
        if let Some(members) = answer.as_object_mut() {
            members.remove("expires_in");
        }
        Reply::json(200, &answer)
    });
    let tokens = at.in_memory()?;
    let client = Subject::Client;
    gives(
        tokens.get(&client, None).await,
        "endless-1",
        "no expires_in",
    )?;
    at.clock.advance(LIFE);
    gives(
        tokens.get(&client, None).await,
        "endless-1",
        "an hour later",
    )?;
    let rejected = oauth_core::AccessToken::new("endless-1")?;
    tokens.invalidate(&client, &rejected).await?;
    gives(tokens.get(&client, None).await, "endless-2", "after a 401")?;

    let answer = cx.token_reply_without("expires_in");
    let server = cx.scripted([answer]).await?;
    let client = super::super::profile::client(&cx, server.base_url(), |reader| {
        reader.default_lifetime(Duration::from_secs(600))
    })?;
    let left = cx.lifetime(&cx.ask(&client).await?);
    ensure!(
        left == Some(600),
        "sent no expires_in to a profile whose tokens live 600 s, expected that, got {left:?}"
    );
    Ok(())
}
