//! C1 and D1: several keys, several processes.

use oauth_core::{Capability::RefreshToken as Refresh, RefreshToken, TokenManager, store::Subject};

use super::{
    setting::{LIFE, MINUTE, Setting, caller, ended, gives, settle},
    store::{
        Op,
        Side::{After, Before},
    },
};
use crate::{Case, Context, Failure, Need::Can, Outcome, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-10" [Can(Refresh)] => side_by_side,
    "REF-11" [Can(Refresh)] => two_processes,
    "REF-12" [Can(Refresh)] => read_again,
    "TM-32" [Can(Refresh)] => a_stampede_of_keys,
};

async fn users(at: &Setting, tokens: &TokenManager, count: usize) -> Result<Vec<Subject>, Failure> {
    let mut users = Vec::new();
    for number in 0..count {
        let name = format!("u{number}");
        let user = Subject::user(name.as_str());
        tokens.register(&user, at.token(&name)?).await?;
        users.push(user);
    }
    Ok(users)
}

async fn side_by_side(cx: Context) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let users = users(&at, &tokens, 8).await?;
        at.expire();
        at.server.hold();
        let waiting: Vec<_> = users.iter().map(|user| caller(&tokens, user)).collect();
        // All eight are on their way before one is answered.
        at.server.until(8).await?;
        // A token that is good is to be had meanwhile, without waiting.
        let fresh = Subject::user("fresh");
        tokens.register(&fresh, at.token("fresh")?).await?;
        gives(tokens.get(&fresh, None).await, "fresh.a0", "another key")?;
        at.server.go();
        for (number, caller) in waiting.into_iter().enumerate() {
            let token = ended(caller).await??;
            let own = token.expose_secret().starts_with(&format!("u{number}."));
            ensure!(
                own,
                "eight keys at once, expected each its own token, got {} for u{number}",
                token.expose_secret()
            );
        }
    }
    Ok(())
}

async fn two_processes(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let (one, two) = (at.manager()?, at.other_process()?);
    let user = at.session(&one).await?;
    gives(two.get(&user, None).await, "user.a0", "the other process")?;
    at.expire();
    at.server.hold();
    let winner = caller(&one, &user);
    at.server.until(1).await?;
    let loser = caller(&two, &user);
    at.clock.asleep(|count| *count > 0).await?;
    ensure!(
        at.asked().len() == 1,
        "two processes, expected one to wait for the other, got two requests"
    );
    at.server.go();
    gives(ended(winner).await?, "user.a1", "the first process")?;
    at.clock.advance(std::time::Duration::from_secs(1));
    gives(ended(loser).await?, "user.a1", "the process that waited")?;
    at.came(1, "two processes")?;
    at.holds(&one, &user, &["user.r1"], "two processes").await?;

    // The process that has the lease dies: the other takes over once it has run out.
    at.expire();
    at.store.pause(After, Op::Lease);
    let _dead = caller(&one, &user);
    at.store.stood(1).await?;
    let heir = caller(&two, &user);
    at.clock.asleep(|count| *count > 0).await?;
    at.came(1, "a process that died with the lease")?;
    at.clock.advance(MINUTE);
    gives(
        ended(heir).await?,
        "user.a2",
        "a process that died with the lease",
    )?;

    // Compare-and-swap: what another process stored meanwhile wins over a late answer.
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    at.server.hold();
    let late = caller(&tokens, &user);
    at.server.until(1).await?;
    let newer = at.numbered("user", 9)?;
    at.replace(&tokens, &user, newer).await?;
    at.server.go();
    gives(
        ended(late).await?,
        "user.a9",
        "another process stored meanwhile",
    )?;
    at.holds(
        &tokens,
        &user,
        &["user.r9"],
        "another process stored meanwhile",
    )
    .await
}

async fn read_again(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    at.store.pause(Before, Op::Lease);
    let waiting = caller(&tokens, &user);
    at.store.stood(1).await?;
    let newer = at.numbered("user", 9)?;
    at.replace(&tokens, &user, newer).await?;
    at.store.resume();
    let did = "the record changed before the lease came";
    gives(ended(waiting).await?, "user.a9", did)?;
    at.came(0, did)?;
    // A record that is as it was is renewed from what the store has, not from what memory had.
    at.clock.advance(LIFE);
    let changed = at
        .numbered("user", 9)?
        .with_expires_at(Some(cx.now()))
        .with_refresh_token(Some(RefreshToken::new("user.r20")?));
    at.replace(&tokens, &user, changed).await?;
    tokens.get(&user, None).await?;
    let sent = at.sent();
    ensure!(
        sent == ["user.r20"],
        "the store has another refresh token, expected it to be sent, got {sent:?}"
    );
    Ok(())
}

async fn a_stampede_of_keys(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let before = at.manager()?;
    let users = users(&at, &before, 20).await?;
    at.expire();
    // A new process: all there is, is in the store.
    let tokens = at.other_process()?;
    at.server.hold();
    let waiting: Vec<_> = users
        .iter()
        .flat_map(|user| (0..50).map(|_| caller(&tokens, user)).collect::<Vec<_>>())
        .collect();
    at.server.until(20).await?;
    settle().await;
    at.server.go();
    for (number, caller) in waiting.into_iter().enumerate() {
        let token = ended(caller).await??;
        let own = format!("u{}.", number / 50);
        ensure!(
            token.expose_secret().starts_with(&own),
            "20 keys, 50 callers each, expected each its own token, got {} for {own}",
            token.expose_secret()
        );
    }
    at.came(20, "20 keys, 50 callers each")
}
