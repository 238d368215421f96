//! C1 and D1: a store that fails after the server has rotated, and callers that go at any await.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use oauth_core::{
    AccessToken, Capability::RefreshToken as Refresh, ErrorKind, Token, TokenManager,
    manager::Event, store::Subject,
};

use super::{
    setting::{LIFE, MINUTE, PATIENCE, Setting, gives},
    store::{Op, Side},
};
use crate::{Case, Context, Failure, Need::Can, Outcome, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-27" [Can(Refresh)] => a_write_that_fails,
    "TM-36" [Can(Refresh)] => cancelled_anywhere,
};

async fn a_write_that_fails(cx: Context) -> Outcome {
    for down in [&[Op::Save][..], &[Op::Save, Op::Load, Op::Lease]] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        let user = at.session(&tokens).await?;
        let mut events = tokens.events();
        at.expire();
        at.store.fail(down);
        let did = format!("{down:?} of the store fail after a rotation");
        gives(tokens.get(&user, None).await, "user.a1", &did)?;
        let warned = std::iter::from_fn(|| events.try_next()).any(|event| {
            matches!(&event, Event::SaveFailed { error, .. } if error.kind() == ErrorKind::Store)
        });
        ensure!(warned, "{did}: expected a warning, got none");
        at.holds(&tokens, &user, &["user.r0"], &did).await?;
        // It goes on from memory, with the new refresh token and never the old one.
        gives(tokens.get(&user, None).await, "user.a1", &did)?;
        at.expire();
        gives(tokens.get(&user, None).await, "user.a2", &did)?;
        let sent = at.sent();
        ensure!(
            sent == ["user.r0", "user.r1"],
            "{did}: expected each refresh token once, got {sent:?}"
        );
        let left = tokens.save_now().await;
        ensure!(
            left == 1,
            "{did}: expected one owner to be unsaved, got {left}"
        );
        // The write is tried again until it works.
        at.clock.asleep(|count| *count > 0).await?;
        at.clock.advance(Duration::from_secs(1));
        at.clock.asleep(|count| *count > 0).await?;
        at.store.fail(&[]);
        at.clock.advance(MINUTE);
        at.comes_to_hold(&tokens, &user, "user.r2", "a second write")
            .await?;
        gives(tokens.get(&user, None).await, "user.a2", "stored at last")?;
        gives(
            at.other_process()?.get(&user, None).await,
            "user.a2",
            "stored at last, in another process",
        )?;
        let left = tokens.save_now().await;
        ensure!(
            left == 0,
            "stored at last, expected nothing left, got {left}"
        );
    }
    Ok(())
}

/// What a caller may be doing when it goes.
const CALLS: [&str; 10] = [
    "get",
    "header",
    "renew",
    "register",
    "invalidate",
    "renew after a rejection",
    "shutdown",
    "delete",
    "delete all",
    "clear",
];

async fn cancelled_anywhere(cx: Context) -> Outcome {
    for op in [Op::Load, Op::Lease, Op::Save, Op::Release] {
        for side in [Side::Before, Side::After] {
            for forced in [false, true] {
                gone_while_it_flies(&cx, side, op, forced).await?;
            }
        }
    }
    for call in CALLS {
        for awaits in 1.. {
            let at = Setting::new(&cx).await?;
            at.store.yields();
            let tokens = at.manager()?;
            let user = at.session(&tokens).await?;
            if call != "register" && call != "invalidate" {
                at.expire();
            }
            let ended = until(awaits, made(&at, &tokens, &user, call)).await;
            after(
                &at,
                &tokens,
                &user,
                &format!("{call}, gone at await {awaits}"),
            )
            .await?;
            if ended || awaits > 60 {
                break;
            }
        }
    }
    Ok(())
}

/// The caller goes while the flight stands at the store.
async fn gone_while_it_flies(cx: &Context, side: Side, op: Op, forced: bool) -> Outcome {
    let at = Setting::new(cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    at.store.pause(side, op);
    let caller = tokio::spawn({
        let (tokens, user) = (tokens.clone(), user.clone());
        async move {
            match forced {
                true => tokens.select(&user).renew().await,
                false => tokens.get(&user, None).await,
            }
        }
    });
    at.store.stood(1).await?;
    caller.abort();
    let _ = caller.await;
    at.store.resume();
    let did = format!("the caller gone {side:?} {op:?}");
    after(&at, &tokens, &user, &did).await
}

async fn made(at: &Setting, tokens: &TokenManager, user: &Subject, call: &str) {
    let rejected = AccessToken::new("user.a0");
    // What comes of it is what comes after it.
    match (call, rejected, at.token("other")) {
        ("get", ..) => drop(tokens.get(user, None).await),
        ("header", ..) => drop(tokens.source(user, None).header().await),
        ("renew", ..) => drop(tokens.select(user).renew().await),
        ("register", _, Ok(token)) => {
            drop(tokens.register(&Subject::user("other"), token).await);
        }
        ("invalidate", Ok(rejected), _) => drop(tokens.invalidate(user, &rejected).await),
        ("shutdown", ..) => {
            let _flight = super::setting::caller(tokens, user);
            tokens.shutdown(LIFE).await;
        }
        ("delete" | "delete all" | "clear", _, Ok(token)) => {
            let other = Subject::user("other");
            let access = token.access_token().clone();
            drop(tokens.register(&other, token).await);
            match call {
                "delete" => drop(tokens.delete(&other, &access).await),
                "delete all" => drop(tokens.delete_all(&other).await),
                _ => drop(tokens.clear(&other).await),
            }
        }
        (_, Ok(rejected), _) => drop(tokens.source(user, None).renew(&rejected).await),
        _ => {}
    }
}

/// Ends the case unless the manager works, with the newest refresh token in the store.
async fn after(at: &Setting, tokens: &TokenManager, user: &Subject, did: &str) -> Outcome {
    let works = async {
        tokens.get(user, None).await?;
        at.expire();
        tokens.get(user, None).await
    };
    let works = tokio::time::timeout(PATIENCE, works).await;
    let token = works
        .map_err(|_| Failure::new(format!("{did}: the next caller still waits after 30 s")))?
        .map_err(|error| Failure::new(format!("{did}: expected a token, got {error:?}")))?;
    let sent = at.sent();
    let mut once = sent.clone();
    once.sort();
    once.dedup();
    ensure!(
        once.len() == sent.len(),
        "{did}: expected each refresh token to be sent once, got {sent:?}"
    );
    let newest = token.expose_secret().replace(".a", ".r");
    at.holds(tokens, user, &[&newest], did).await
}

/// Drives `call` until it has waited `awaits` times, then drops it; whether it ended before.
async fn until(awaits: usize, call: impl Future<Output = ()>) -> bool {
    let mut call = pin!(call);
    let mut left = awaits;
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => {
            left -= 1;
            match left {
                0 => Poll::Ready(false),
                _ => Poll::Pending,
            }
        }
    })
    .await
}
