//! D1: what a server says of a token, and for how long it is believed.

use std::time::{Duration, SystemTime};

use oauth_core::{
    AccessToken,
    Capability::{Introspection, RefreshToken as Refresh},
    clock::Clock,
    store::Subject,
};
use serde_json::{Value, json};

use super::setting::{Setting, ended, ends, fails, gives, settle};
use crate::{Case, Context, Need::Can, Outcome, Reply, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "TM-17" [Can(Introspection), Can(Refresh)] => inactive,
    "TM-18" [Can(Introspection)] => once_per_interval,
    "TM-19" [Can(Introspection)] => not_beyond_its_end,
};

fn says(answer: Value) -> Reply {
    Reply::json(200, &answer)
}

async fn inactive(cx: Context) -> Outcome {
    // Whatever else the answer says: not active is not active.
    let no = || says(json!({"active": false, "exp": 4_102_444_800_u64, "scope": "a"}));
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = Subject::user("user");
    let token = AccessToken::new("user.a0")?;
    at.server.reply(no());
    let refused = tokens
        .register_introspected(&user, token.clone(), None)
        .await;
    ends(refused, "registered a token that is not active")?;
    ends(tokens.get(&user, None).await, "registered in vain")?;
    let kept = at.stored(&tokens, &user).await?;
    ensure!(
        tokens.is_empty() && kept.is_empty(),
        "a token that is not active, expected nothing to be kept, got {kept:?}"
    );

    // One that is in use already is not handed out again: what can renew it does.
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let user = at.session(&tokens).await?;
        let bob = Subject::user("bob");
        tokens.register(&bob, at.token("bob")?).await?;
        let handle = tokens.source(&user, None);
        handle.header().await?;
        at.server.reply(no());
        let said = tokens.introspect(&token).await?;
        ensure!(
            !said.is_active() && handle.try_header().is_none(),
            "a token in use that is not active, expected the handle to have none, it has it"
        );
        gives(
            tokens.get(&user, None).await,
            "user.a1",
            "a token in use that is not active",
        )?;
        at.came(1, "a token in use that is not active")?;
        gives(tokens.get(&bob, None).await, "bob.a0", "another's token")?;
        // Without a refresh token there is nothing left.
        let last = at.token("last")?.with_refresh_token(None);
        let someone = Subject::user("someone");
        tokens.register(&someone, last).await?;
        at.server.reply(no());
        tokens.introspect(&AccessToken::new("last.a0")?).await?;
        ends(
            tokens.get(&someone, None).await,
            "a token in use that is not active, and no refresh token",
        )?;
    }
    Ok(())
}

async fn once_per_interval(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let interval = Duration::from_secs(20);
    let tokens = at.builder()?.min_introspect_interval(interval).build();
    let token = AccessToken::new("user.a0")?;
    at.server.hold();
    at.server.reply(says(json!({"active": true})));
    at.server.reply(says(json!({"active": false})));
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (tokens, token) = (tokens.clone(), token.clone());
            tokio::spawn(async move { tokens.introspect(&token).await })
        })
        .collect();
    at.server.until(1).await?;
    settle().await;
    at.server.go();
    for caller in waiting {
        let active = ended(caller).await??.is_active();
        ensure!(active, "50 callers, expected the one answer, got another");
    }
    at.clock.advance(interval - Duration::from_nanos(1));
    tokens.introspect(&token).await?;
    let count = at.server.received().len();
    ensure!(
        count == 1,
        "50 callers and one within the interval, expected 1 request, got {count}"
    );
    at.clock.advance(Duration::from_nanos(1));
    let active = tokens.introspect(&token).await?.is_active();
    let count = at.server.received().len();
    ensure!(
        !active && count == 2,
        "after the interval, expected a second request, got {count}"
    );
    // Another token is another question.
    at.server.reply(says(json!({"active": true})));
    tokens.introspect(&AccessToken::new("user.a1")?).await?;
    let count = at.server.received().len();
    ensure!(
        count == 3,
        "another token, expected a request of its own, got {count}"
    );
    // A failure is no answer: it is told for a moment only, then the next one asks.
    at.clock.advance(interval);
    at.server.reply(Reply::new(503));
    fails(tokens.introspect(&token).await, "the server is down")?;
    fails(
        tokens.introspect(&token).await,
        "the server was down just now",
    )?;
    at.server.reply(says(json!({"active": true})));
    at.clock.advance(interval);
    let active = tokens.introspect(&token).await?.is_active();
    let count = at.server.received().len();
    ensure!(
        active && count == 5,
        "met 503, then an answer, expected one request for each, got {count} of 5"
    );
    Ok(())
}

async fn not_beyond_its_end(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let token = AccessToken::new("user.a0")?;
    let end = at.clock.now() + Duration::from_secs(10);
    let seconds = end.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = seconds.unwrap_or_default().as_secs();
    at.server
        .reply(says(json!({"active": true, "exp": seconds})));
    at.server.reply(says(json!({"active": false})));
    at.server.reply(says(json!({"active": true})));
    at.clock.advance(Duration::from_secs(9));
    let before = tokens.introspect(&token).await?.is_active();
    let again = tokens.introspect(&token).await?.is_active();
    ensure!(
        before && again,
        "before its end, expected an active token, got another"
    );
    // The interval has 29 s to go, the token none.
    at.clock.advance(Duration::from_secs(1));
    let after = tokens.introspect(&token).await?.is_active();
    ensure!(
        !after,
        "at its end, expected the server to be asked again, it was not"
    );
    // Not active is believed for the interval, not for ever.
    at.clock.advance(Duration::from_secs(29));
    let still = tokens.introspect(&token).await?.is_active();
    at.clock.advance(Duration::from_secs(1));
    let then = tokens.introspect(&token).await?.is_active();
    let count = at.server.received().len();
    ensure!(
        !still && then && count == 3,
        "not active, 30 s ago, expected the server to be asked a third time, got {count}"
    );
    Ok(())
}
