//! C1: what ends a session, and what does not.

use std::time::Duration;

use oauth_core::{Capability::RefreshToken as Refresh, ErrorKind};

use super::setting::{LIFE, MINUTE, Setting, caller, ended, ends, fails, gives};
use crate::{Case, Context, Need::Can, Outcome, Reply, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-13" [Can(Refresh)] => a_dead_grant,
    "REF-14" [Can(Refresh)] => one_that_was_replaced,
    "REF-17" [Can(Refresh)] => the_old_token_lives_on,
};

async fn a_dead_grant(cx: Context) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let user = at.session(&tokens).await?;
        at.expire();
        at.server.reply(cx.refusal("invalid_grant")?);
        for wait in [Duration::ZERO, Duration::ZERO, MINUTE, LIFE * 24] {
            at.clock.advance(wait);
            ends(tokens.get(&user, None).await, "a dead grant")?;
            let handle = tokens.source(&user, None);
            ends(handle.header().await, "a dead grant, through a handle")?;
            ends(
                tokens.select(&user).renew().await,
                "a dead grant, renewed by force",
            )?;
        }
        at.came(1, "a dead grant, asked for again and again")?;
        ensure!(
            tokens.is_empty(),
            "a dead grant, expected nothing of it in memory, got {tokens:?}"
        );
        let kept = at.stored(&tokens, &user).await?;
        ensure!(
            kept.is_empty(),
            "a dead grant, expected nothing of it in the store, got {kept:?}"
        );
        if stored {
            ends(
                at.other_process()?.get(&user, None).await,
                "a dead grant, after a restart",
            )?;
            at.came(1, "a dead grant, after a restart")?;
        }
        tokens.register(&user, at.token("anew")?).await?;
        gives(tokens.get(&user, None).await, "anew.a0", "a new login")?;
        at.expire();
        gives(
            tokens.get(&user, None).await,
            "anew.a1",
            "a new login, renewed",
        )?;
    }

    // Refused while the access token still lives: the refresh token is not sent again either.
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.server.reply(cx.refusal("invalid_grant")?);
    ends(
        tokens.select(&user).renew().await,
        "a dead grant before its time",
    )?;
    at.holds(&tokens, &user, &[], "a dead grant before its time")
        .await?;
    at.clock.advance(LIFE - Duration::from_secs(30));
    let _ = tokens.get(&user, None).await;
    at.clock.advance(LIFE);
    ends(tokens.get(&user, None).await, "a dead grant, expired")?;
    at.came(1, "a dead grant before its time")
}

async fn one_that_was_replaced(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    at.server.hold();
    at.server.reply(cx.refusal("invalid_grant")?);
    let waiting = caller(&tokens, &user);
    at.server.until(1).await?;
    let newer = at.numbered("user", 9)?;
    at.replace(&tokens, &user, newer).await?;
    at.server.go();
    let did = "invalid_grant for a refresh token that the store has replaced";
    gives(ended(waiting).await?, "user.a9", did)?;
    at.came(1, did)?;
    at.holds(&tokens, &user, &["user.r9"], did).await
}

/// REF-15 and REF-16: what fails for another reason leaves the refresh token, in memory and store.
pub(in crate::cases) async fn survives(cx: &Context, sent: &str, reply: Reply) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let user = at.session(&tokens).await?;
        at.expire();
        at.server.reply(reply.clone());
        let did = format!("met {sent} at a refresh by a manager");
        let error = fails(tokens.get(&user, None).await, &did)?;
        ensure!(
            !error.needs_reauthorization(),
            "{did}: expected the session to be kept, got {error:?}"
        );
        if stored {
            at.holds(&tokens, &user, &["user.r0"], &did).await?;
        }
        at.clock.advance(MINUTE);
        gives(tokens.get(&user, None).await, "user.a1", &did)?;
        let got = at.sent();
        ensure!(
            got == ["user.r0", "user.r0"],
            "{did}: expected the same refresh token twice, got {got:?}"
        );
    }
    Ok(())
}

async fn the_old_token_lives_on(cx: Context) -> Outcome {
    let end = Duration::from_secs(30);
    for (sent, reply) in [
        ("503", Reply::new(503)),
        ("no answer", Reply::close()),
        ("invalid_grant", cx.refusal("invalid_grant")?),
        ("404", Reply::new(404)),
    ] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        let user = at.session(&tokens).await?;
        at.clock.advance(LIFE - end);
        at.server.reply(reply);
        let did = format!("met {sent} half a minute before the end");
        gives(tokens.get(&user, None).await, "user.a0", &did)?;
        at.came(1, &did)?;
        // To the last nanosecond, while the failure is remembered.
        at.clock.advance(Duration::from_millis(400));
        gives(tokens.get(&user, None).await, "user.a0", &did)?;
        at.came(1, &did)?;
        at.clock
            .advance(end - Duration::from_millis(400) - Duration::from_nanos(1));
        at.server.reply(Reply::new(500));
        gives(
            tokens.get(&user, None).await,
            "user.a0",
            "a nanosecond before the end",
        )?;
        at.clock.advance(Duration::from_nanos(1));
        at.server.reply(Reply::new(500));
        let error = fails(tokens.get(&user, None).await, "at the very end")?;
        ensure!(
            error.kind() == ErrorKind::Server || sent == "404" || error.needs_reauthorization(),
            "{did}, at the very end: expected the failure, got {error:?}"
        );
    }
    Ok(())
}
