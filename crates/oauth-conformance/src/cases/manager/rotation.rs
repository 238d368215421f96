//! C1: what becomes of refresh tokens that a server replaces, or does not.

use std::time::Duration;

use oauth_core::{
    Capability::{RefreshToken as Refresh, Revocation, ScopeOnRefresh},
    ErrorKind, Scopes, Token,
};
use serde_json::{Map, json};

use super::{
    setting::{LIFE, MINUTE, Setting, caller, ended, ends, fails, gives, settle},
    store::{
        Op,
        Side::{After, Before},
    },
};
use crate::{Case, Context, Need::Can, Outcome, Reply, cases, ensure};

pub(super) const CASES: &[Case] = cases! {
    "REF-01" [Can(Refresh)] => stored_before_it_is_shown,
    "REF-04" [Can(Refresh)] => one_write,
    "REF-05" [Can(Refresh)] => killed_before_the_write,
    "REF-23" [Can(Refresh)] => fewer_scopes,
    "REF-24" [Can(Refresh)] => an_expired_refresh_token,
    "REF-26" [Can(Refresh)] => rotated_away,
};

async fn stored_before_it_is_shown(cx: Context) -> Outcome {
    for (side, held) in [(Before, "user.r0"), (After, "user.r1")] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        let user = at.session(&tokens).await?;
        let handle = tokens.source(&user, None);
        at.expire();
        at.store.pause(side, Op::Save);
        let waiting = caller(&tokens, &user);
        at.store.stood(1).await?;
        let late = caller(&tokens, &user);
        settle().await;
        let seen = waiting.is_finished() || late.is_finished();
        ensure!(
            !seen && handle.try_header().is_none(),
            "a rotated token that the store has not acknowledged, expected nobody to see the access token, somebody did"
        );
        at.holds(&tokens, &user, &[held], "a save under way")
            .await?;
        at.store.resume();
        gives(ended(waiting).await?, "user.a1", "a rotated token, stored")?;
        at.holds(&tokens, &user, &["user.r1"], "a save that ended")
            .await?;
    }
    // Also one that came with an answer that is none otherwise.
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    let mut answer = cx.target().token_answer("");
    answer["refresh_token"] = json!("user.r7");
    answer["access_token"] = json!(null);
    at.server.reply(Reply::json(200, &answer));
    let did = "a new refresh token without an access token";
    fails(tokens.get(&user, None).await, did)?;
    at.holds(&tokens, &user, &["user.r7"], did).await?;
    at.clock.advance(MINUTE);
    gives(tokens.get(&user, None).await, "user.a1", did)?;
    at.holds(&tokens, &user, &["user.r1"], did).await
}

/// REF-02 and REF-03: an answer without a new refresh token leaves the old one, in memory and store.
pub(in crate::cases) async fn keeps_the_old_one(cx: &Context, sent: &str, reply: Reply) -> Outcome {
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
        tokens.get(&user, None).await?;
        if stored {
            at.holds(&tokens, &user, &["user.r0"], sent).await?;
        }
        at.expire();
        let again = tokens.get(&user, None).await;
        let did = format!("sent {sent}, renewed once more");
        gives(again, "user.a1", &did)?;
        let got = at.sent();
        ensure!(
            got == ["user.r0", "user.r0"],
            "{did}: expected the old refresh token again, got {got:?}"
        );
    }
    Ok(())
}

async fn one_write(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    let before = at.store.asked().len();
    tokens.get(&user, None).await?;
    let asked = at.store.asked();
    let writes: Vec<_> = asked[before..]
        .iter()
        .filter(|op| matches!(op, Op::Save | Op::Remove | Op::Clear))
        .collect();
    ensure!(
        writes == [&Op::Save],
        "a rotated token, expected one save of the whole record, got {writes:?}"
    );

    // What a crash in that write leaves is a whole record: the old one, or the new one.
    for (side, held) in [(Before, "user.r0"), (After, "user.r1")] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        let user = at.session(&tokens).await?;
        at.expire();
        at.store.pause(side, Op::Save);
        let _killed = caller(&tokens, &user);
        at.store.stood(1).await?;
        let did = format!("a crash {side:?} the write");
        at.holds(&tokens, &user, &[held], &did).await?;
        let scopes = at.stored(&tokens, &user).await?;
        let whole = scopes
            .iter()
            .all(|issued| *issued.token.scopes() == cx.credentials().scopes);
        ensure!(whole, "{did}: expected the whole record, got {scopes:?}");
        if side == After {
            at.clock.advance(MINUTE);
            let again = at.other_process()?.get(&user, None).await;
            gives(again, "user.a1", "after the crash")?;
            at.came(1, "after the crash")?;
        }
    }
    Ok(())
}

async fn killed_before_the_write(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    at.expire();
    at.server.hold();
    let first = caller(&tokens, &user);
    at.server.until(1).await?;
    let window = at.store.asked().len();
    at.store.pause(Before, Op::Save);
    at.server.go();
    at.store.stood(1).await?;
    let asked = at.store.asked();
    ensure!(
        asked[window..] == [Op::Save],
        "an answer with a new refresh token, expected the save to be the next thing, got {:?}",
        &asked[window..]
    );
    ensure!(
        !first.is_finished(),
        "killed before the write, expected no answer to the caller, got one"
    );

    // Its lease runs out, then another process takes over: the old refresh token is all it has.
    at.clock.advance(MINUTE);
    let restarted = at.other_process()?;
    for wait in [Duration::ZERO, MINUTE, LIFE] {
        at.clock.advance(wait);
        ends(restarted.get(&user, None).await, "restarted after a crash")?;
    }
    at.came(2, "restarted after a crash")?;
    at.holds(&restarted, &user, &[], "restarted after a crash")
        .await
}

async fn fewer_scopes(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    let (one, all) = at.scopes()?;
    let narrow = tokens.get(&user, Some(&one)).await;
    if !at.can(ScopeOnRefresh)? {
        let error = fails(narrow, "fewer scopes than the provider can refresh with")?;
        ensure!(
            error.kind() == ErrorKind::Usage && !error.needs_reauthorization(),
            "fewer scopes than the provider can refresh with, expected a usage error, got {error:?}"
        );
        at.came(0, "fewer scopes than the provider can refresh with")?;
        at.holds(&tokens, &user, &["user.r0"], "fewer scopes")
            .await?;
        return gives(
            tokens.get(&user, Some(&all)).await,
            "user.a0",
            "all scopes after that",
        );
    }
    gives(narrow, "user.a1", "fewer scopes")?;
    let asked = at.asked()[0].param("scope");
    ensure!(
        asked.as_deref() == Some(&*one.to_string()),
        "fewer scopes, expected scope {one}, got {asked:?}"
    );
    gives(
        tokens.get(&user, Some(&one)).await,
        "user.a1",
        "fewer scopes again",
    )?;
    gives(
        tokens.get(&user, Some(&all)).await,
        "user.a0",
        "all scopes after fewer",
    )?;
    at.came(1, "fewer scopes, twice, then all")?;
    at.holds(&tokens, &user, &["user.r1"], "fewer scopes")
        .await?;
    at.expire();
    gives(
        tokens.get(&user, Some(&all)).await,
        "user.a2",
        "all scopes, expired",
    )?;
    let second = &at.asked()[1];
    let scope = second.param("scope").map(|text| Scopes::parse(&text));
    ensure!(
        second.param("refresh_token").as_deref() == Some("user.r1")
            && scope.is_none_or(|scope| scope.is_ok_and(|scope| scope == all)),
        "all scopes after fewer, expected the new refresh token with its full scope, got {:?}",
        second.params()
    );
    Ok(())
}

async fn an_expired_refresh_token(cx: Context) -> Outcome {
    for member in ["refresh_token_expires_in", "refresh_expires_in"] {
        let at = Setting::new(&cx).await?;
        let tokens = at.manager()?;
        let user = at.session(&tokens).await?;
        at.expire();
        let mut answer = cx.target().token_answer("user.a1");
        answer["refresh_token"] = json!("user.r1");
        answer[member] = json!(2 * LIFE.as_secs());
        at.server.reply(Reply::json(200, &answer));
        tokens.get(&user, None).await?;
        // The second one is not replaced, and ends when it was to.
        at.expire();
        at.server.reply(cx.token_reply_without("refresh_token"));
        tokens.get(&user, None).await?;
        at.came(2, "a refresh token that still lives")?;
        at.expire();
        let did = format!("a refresh token past its {member}");
        for manager in [&tokens, &at.other_process()?] {
            ends(manager.get(&user, None).await, &did)?;
        }
        at.came(2, &did)?;
    }
    // One that was over before it was ever sent.
    let at = Setting::new(&cx).await?;
    let tokens = at.in_memory()?;
    let mut extra = Map::new();
    extra.insert("refresh_token_expires_in".to_owned(), json!(60));
    let user = oauth_core::store::Subject::user("user");
    let token = at.token("user")?.with_extra(extra);
    tokens.register(&user, token).await?;
    at.expire();
    ends(
        tokens.get(&user, None).await,
        "a refresh token of a minute, an hour later",
    )?;
    at.came(0, "a refresh token of a minute, an hour later")
}

async fn rotated_away(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.builder()?.revoke_on_delete(true).build();
    let user = at.session(&tokens).await?;
    for _ in 0..2 {
        at.expire();
        tokens.get(&user, None).await?;
    }
    tokens.select(&user).renew().await?;
    let current = tokens.get(&user, None).await?;
    gives(Ok(current.clone()), "user.a3", "renewed three times")?;
    let early = at.elsewhere();
    ensure!(
        early.is_empty(),
        "renewed three times, expected no revocation, got {early:?}"
    );
    tokens.delete(&user, &current.access_token()).await?;
    let told: Vec<_> = at
        .elsewhere()
        .iter()
        .filter_map(|request| request.param("token"))
        .collect();
    let expected: &[&str] = match at.can(Revocation)? {
        true => &["user.r3", "user.a3"],
        false => &[],
    };
    ensure!(
        told == expected,
        "deleted after three renewals, expected {expected:?} to be revoked, got {told:?}"
    );
    Ok(())
}
