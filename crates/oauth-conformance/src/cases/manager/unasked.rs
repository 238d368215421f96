//! D1: what a manager does unasked.

use std::time::Duration;

use oauth_core::{
    Capability::{ClientCredentials, RefreshToken as Refresh},
    manager::Event,
    store::{Subject, TokenStore},
};

use super::setting::{LIFE, MINUTE, Setting, eventually, fails, gives, settle};
use crate::{Case, Context, Failure, Need::Can, Outcome, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "TM-22" [Can(ClientCredentials)] => purged,
    "TM-31" [Can(Refresh)] => background,
};

/// How much longer what ended stays in a store: others share it, with clocks of their own.
const DAY: Duration = Duration::from_secs(86_400);

/// How many owners come, and how many at a time.
const OWNERS: usize = 20_000;
const WAVE: usize = 500;

async fn purged(cx: Context) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let builder = oauth_core::TokenManager::builder(at.client()?).background_refresh(true);
        let tokens = match stored {
            true => builder.store(at.store.clone()).build(),
            false => builder.build(),
        };
        // The first request starts what removes.
        tokens.get(&Subject::Client, None).await?;
        let owners = if stored { OWNERS / 10 } else { OWNERS };
        let token = |number: usize| {
            let token = at.token(&format!("n{number}"))?;
            Ok::<_, Failure>(token.with_refresh_token(None))
        };
        let mut most = 0;
        for wave in 0..owners / WAVE {
            for number in wave * WAVE..(wave + 1) * WAVE {
                let user = Subject::user(number.to_string());
                tokens.register(&user, token(number)?).await?;
            }
            most = most.max(tokens.len());
            at.clock.advance(LIFE);
            if stored {
                at.clock.advance(DAY);
            }
            at.clock.advance(MINUTE);
            at.clock.asleep(|count| *count > 0).await?;
            at.clock.advance(MINUTE);
            let did = "entries that ended are removed";
            eventually(did, || tokens.len() <= 1).await?;
        }
        ensure!(
            most <= WAVE + 1,
            "{owners} owners, {WAVE} at a time, expected no more in memory, got {most}"
        );
        if stored {
            let kept = at.store.memory().owners(None, OWNERS).await;
            let kept = kept.unwrap_or_default().len();
            ensure!(
                kept <= WAVE + 1,
                "{owners} owners, {WAVE} at a time, expected no more in the store, got {kept}"
            );
        }
    }
    Ok(())
}

async fn background(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.builder()?.background_refresh(true).build();
    let user = at.session(&tokens).await?;
    // The first request starts it.
    tokens.select(&user).renew().await?;
    at.clock.asleep(|count| *count == 1).await?;
    let mut events = tokens.events();
    // Nobody asks, and it is renewed.
    at.clock.advance(LIFE - Duration::from_secs(100));
    at.server.until(2).await?;
    at.comes_to_hold(&tokens, &user, "user.r2", "a token nobody asks for")
        .await?;
    // It is stored before it is shown, and told after that.
    while !matches!(events.next().await, Some(Event::Refreshed { .. }) | None) {}
    gives(tokens.get(&user, None).await, "user.a2", "nobody asked")?;

    // A failure that will not pass by itself is not for ever: what mends it is believed at once.
    at.clock.asleep(|count| *count == 1).await?;
    if let Ok(refusal) = cx.refusal("invalid_client") {
        at.server.reply(refusal);
        fails(tokens.select(&user).renew().await, "a wrong secret")?;
        let mended = tokens.with_client(at.client()?);
        mended.register(&user, at.token("mended")?).await?;
        let renewed = mended.select(&user).renew().await?;
        ensure!(
            renewed.expose_secret().starts_with("mended."),
            "registered after a wrong secret, expected a renewal, got {renewed:?}"
        );
        drop(mended);
    }

    // The last handle goes, and with it the task.
    let handle = tokens.source(&user, None);
    drop(tokens);
    at.clock.asleep(|count| *count == 1).await?;
    at.clock.advance(MINUTE);
    at.clock.asleep(|count| *count == 1).await?;
    // What it has begun it ends.
    settle().await;
    drop(handle);
    settle().await;
    let before = at.server.received().len();
    eventually("the task ends", || {
        at.clock.advance(MINUTE);
        at.clock.sleepers() == 0
    })
    .await?;
    at.clock.advance(LIFE);
    settle().await;
    let after = at.server.received().len();
    ensure!(
        after == before,
        "the last manager is gone, expected no request, got {}",
        after - before
    );
    Ok(())
}
