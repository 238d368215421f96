//! C1 and D1: when a token is renewed, and by which clock.

use std::time::Duration;

use oauth_core::{
    Capability::{ClientCredentials, RefreshToken as Refresh},
    TokenManager,
    clock::Clock,
    manager::RefreshPolicy,
    store::Subject,
};
use serde_json::json;

use super::{
    setting::{LIFE, Setting, eventually, gives},
    store::Op,
};
use crate::{Case, Context, Failure, Need::Can, Outcome, Reply, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-18" [Can(Refresh)] => the_edge,
    "REF-19" [Can(ClientCredentials)] => a_short_life,
    "REF-20" [Can(Refresh)] => a_clock_that_is_set,
    "REF-21" [Can(Refresh)] => a_suspend,
    "REF-22" [Can(ClientCredentials)] => the_servers_clock,
    "REF-28" [Can(Refresh)] => jitter,
    "TM-29" [Can(Refresh)] => the_injected_clock,
};

const TICK: Duration = Duration::from_nanos(1);

/// A manager that renews nothing in the background: what is left is the leeway.
fn without_advance(at: &Setting) -> Result<TokenManager, Failure> {
    let policy = RefreshPolicy::default().with_advisory(Duration::ZERO);
    Ok(TokenManager::builder(at.client()?).policy(policy).build())
}

async fn the_edge(cx: Context) -> Outcome {
    for (life, leeway) in [
        (3600, Duration::from_secs(60)),
        (301, Duration::from_secs(60)),
        (300, Duration::from_secs(60)),
        (100, Duration::from_secs(20)),
        (1, Duration::from_millis(200)),
    ] {
        let at = Setting::new(&cx).await?;
        let tokens = without_advance(&at)?;
        let user = Subject::user("user");
        let life = Duration::from_secs(life);
        let token = at.token("user")?.with_expires_at(Some(cx.now() + life));
        tokens.register(&user, token).await?;
        let handle = tokens.source(&user, None);
        handle.header().await?;
        at.clock.advance(life - leeway - TICK);
        let did = format!("a nanosecond before {leeway:?} of {life:?}");
        gives(tokens.get(&user, None).await, "user.a0", &did)?;
        ensure!(
            handle.try_header().is_some(),
            "{did}: expected the handle to have the token, it has none"
        );
        at.came(0, &did)?;
        at.clock.advance(TICK);
        ensure!(
            handle.try_header().is_none(),
            "{leeway:?} of {life:?} before the end: expected the handle to look again, it does not"
        );
        gives(tokens.get(&user, None).await, "user.a1", "at the edge")?;
        at.came(1, "at the edge")?;
    }
    Ok(())
}

async fn a_short_life(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.in_memory()?;
    for (seconds, access_token) in [(40, "one"), (59, "two")] {
        let mut answer = cx.target().token_answer(access_token);
        answer["expires_in"] = json!(seconds);
        at.server.reply(Reply::json(200, &answer));
        let before = at.asked().len();
        for _ in 0..10 {
            let got = tokens.get(&Subject::Client, None).await;
            gives(got, access_token, "a life shorter than the leeway")?;
            let header = tokens.source(&Subject::Client, None).header().await?;
            ensure!(
                header == format!("Bearer {access_token}"),
                "a life shorter than the leeway, expected {access_token}, got another"
            );
        }
        at.came(before + 1, "a life shorter than the leeway")?;
        at.expire();
    }
    Ok(())
}

async fn a_clock_that_is_set(cx: Context) -> Outcome {
    let day = Duration::from_secs(86_400);
    // Set back while the token is in memory: its life gets no longer.
    let at = Setting::new(&cx).await?;
    let tokens = without_advance(&at)?;
    let user = at.session(&tokens).await?;
    at.clock.set(cx.now() - day);
    at.clock.advance(LIFE - Duration::from_secs(60) - TICK);
    gives(
        tokens.get(&user, None).await,
        "user.a0",
        "a clock set back a day",
    )?;
    at.clock.advance(TICK);
    gives(
        tokens.get(&user, None).await,
        "user.a1",
        "a clock set back a day, an hour later",
    )?;

    // Set back, then read from the store: no longer than its whole life.
    let at = Setting::new(&cx).await?;
    let user = at.session(&at.manager()?).await?;
    at.clock.set(cx.now() - day);
    let restarted = at.other_process()?;
    gives(
        restarted.get(&user, None).await,
        "user.a0",
        "a clock set back a day, read from the store",
    )?;
    at.expire();
    gives(
        restarted.get(&user, None).await,
        "user.a1",
        "a clock set back a day, read from the store, an hour later",
    )?;

    // Set ahead and back again: what came after that lives as long as it should.
    let at = Setting::new(&cx).await?;
    let tokens = without_advance(&at)?;
    let second = Duration::from_secs(1);
    let now = cx.now();
    at.clock.set(now + day);
    at.clock.advance(second);
    let user = at.session(&tokens).await?;
    at.clock.set(now);
    at.clock.advance(second);
    let late = Subject::user("late");
    tokens.register(&late, at.token("late")?).await?;
    at.clock.advance(LIFE / 2);
    for (subject, expected) in [(&user, "user.a0"), (&late, "late.a0")] {
        let got = tokens.get(subject, None).await;
        gives(got, expected, "a clock that jumped and came back")?;
    }
    at.came(0, "a clock that jumped and came back")
}

async fn a_suspend(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.in_memory()?;
    let user = at.session(&tokens).await?;
    let handle = tokens.source(&user, None);
    handle.header().await?;
    // The machine slept for two hours: the wall clock knows, the monotonic one does not.
    at.clock.set(cx.now() + 2 * LIFE);
    at.clock.advance(Duration::from_secs(1));
    ensure!(
        handle.try_header().is_none(),
        "a suspend of two hours, expected the handle to look again, it does not"
    );
    gives(
        tokens.get(&user, None).await,
        "user.a1",
        "a suspend of two hours",
    )?;
    // The wall clock stands still: the monotonic one knows.
    let now = cx.now();
    at.expire();
    at.clock.set(now);
    gives(
        tokens.get(&user, None).await,
        "user.a2",
        "a wall clock that stood still for an hour",
    )
}

async fn the_servers_clock(cx: Context) -> Outcome {
    for date in [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 2049 23:59:59 GMT",
        "Tue, 06 Jan 2026 04:00:00 GMT",
    ] {
        let at = Setting::new(&cx).await?;
        let tokens = without_advance(&at)?;
        at.server.reply(cx.token_reply("one").header("Date", date));
        let token = tokens.get(&Subject::Client, None).await?;
        ensure!(
            token.expires_at() == Some(cx.now() + LIFE),
            "an answer dated {date}, expected an hour from now, got {:?}",
            token.expires_at()
        );
        at.clock.advance(LIFE - Duration::from_secs(61));
        gives(
            tokens.get(&Subject::Client, None).await,
            "one",
            "an answer of another date",
        )?;
        at.came(1, "an answer of another date")?;
    }
    Ok(())
}

async fn jitter(cx: Context) -> Outcome {
    // 32 instances with one expiry; the window is five minutes less up to a quarter.
    let at = Setting::new(&cx).await?;
    let mut handles = Vec::new();
    for _ in 0..32 {
        let tokens = at.in_memory()?;
        let user = at.session(&tokens).await?;
        let handle = tokens.source(&user, None);
        handle.header().await?;
        handles.push(handle);
    }
    let step = Duration::from_secs(5);
    at.clock.advance(LIFE - Duration::from_secs(301));
    let mut ready = Vec::new();
    for _ in 0..=16 {
        ready.push(handles.iter().filter(|h| h.try_header().is_none()).count());
        at.clock.advance(step);
    }
    let moments = ready.windows(2).filter(|pair| pair[0] < pair[1]).count();
    ensure!(
        ready[0] == 0 && ready.last() == Some(&32),
        "32 instances of one expiry, expected all to renew between 300 s and 225 s before it, got {ready:?}"
    );
    ensure!(
        moments >= 5,
        "32 instances of one expiry, expected renewals spread over the window, got {ready:?}"
    );
    Ok(())
}

async fn the_injected_clock(cx: Context) -> Outcome {
    // A hundred years from now, by the injected clock alone.
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    at.clock.advance(Duration::from_secs(100 * 365 * 86_400));
    let user = at.session(&tokens).await?;
    at.expire();
    at.store.fail(&[Op::Save]);
    let token = tokens.get(&user, None).await?;
    ensure!(
        token.issued_at() == at.clock.now() && token.expires_at() == Some(at.clock.now() + LIFE),
        "a hundred years later, expected times of the injected clock, got {token:?}"
    );
    // What waits, waits on it: nothing is tried again before it moves.
    at.clock.asleep(|count| *count > 0).await?;
    let saves = |at: &Setting| {
        at.store
            .asked()
            .iter()
            .filter(|op| **op == Op::Save)
            .count()
    };
    let before = saves(&at);
    at.store.fail(&[]);
    super::setting::settle().await;
    ensure!(
        saves(&at) == before,
        "the injected clock stands still, expected no second write, got one"
    );
    at.clock.advance(Duration::from_secs(1));
    eventually("the write is tried again", || saves(&at) > before).await
}
