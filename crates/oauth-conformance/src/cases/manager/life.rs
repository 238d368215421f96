//! D1: registering, invalidating, renewing by force, clearing, deleting, listing.

use oauth_core::{
    AccessToken,
    Capability::{ClientCredentials, Introspection, RefreshToken as Refresh, Revocation},
    ErrorKind, Scopes, TokenManager, TokenSet,
    store::{Subject, TokenStore},
};
use serde_json::json;

use super::{
    setting::{LIFE, Setting, caller, ended, ends, fails, gives, settle},
    store::{
        Op,
        Side::{After, Before},
    },
};
use crate::{
    Case, Context, Need::Can, Outcome, Received, Reply, cases, cases::marks::unseen_in, ensure,
};

pub(super) const CASES: &[Case] = cases! {
    "TM-10" [Can(Refresh)] => invalidate,
    "TM-11" [Can(Refresh)] => renew_by_force,
    "TM-12" [Can(Refresh)] => cleared_in_flight,
    "TM-13" [Can(Refresh), Can(ClientCredentials)] => clear,
    "TM-14" [Can(Refresh), Can(Revocation)] => delete,
    "TM-15" [Can(Refresh), Can(Revocation)] => delete_all,
    "TM-16" [Can(Refresh)] => register,
    "TM-30" [Can(Refresh)] => sessions,
};

async fn invalidate(cx: Context) -> Outcome {
    for stored in [false, true] {
        let at = Setting::new(&cx).await?;
        let tokens = if stored {
            at.manager()?
        } else {
            at.in_memory()?
        };
        let user = at.session(&tokens).await?;
        tokens.select(&user).renew().await?;
        let handle = tokens.source(&user, None);
        handle.header().await?;
        // A late word about the token before this one.
        let old = AccessToken::new("user.a0")?;
        tokens.invalidate(&user, &old).await?;
        gives(
            tokens.get(&user, None).await,
            "user.a1",
            "an older token was invalidated",
        )?;
        at.came(1, "an older token was invalidated")?;
        let current = AccessToken::new("user.a1")?;
        tokens.invalidate(&user, &current).await?;
        gives(handle.token().await, "user.a2", "invalidated, by handle")?;
        gives(tokens.get(&user, None).await, "user.a2", "invalidated")?;
        at.came(2, "invalidated")?;
        let sent = at.sent();
        ensure!(
            sent == ["user.r0", "user.r1"],
            "invalidated, expected the refresh token to stay, got {sent:?}"
        );
        if stored {
            tokens
                .invalidate(&user, &AccessToken::new("user.a2")?)
                .await?;
            gives(
                at.other_process()?.get(&user, None).await,
                "user.a3",
                "invalidated, in another process",
            )?;
        }
    }
    Ok(())
}

async fn renew_by_force(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    let renewed = tokens.select(&user).renew().await;
    gives(renewed, "user.a1", "a forced renewal")?;
    gives(tokens.get(&user, None).await, "user.a1", "after it")?;
    at.holds(&tokens, &user, &["user.r1"], "a forced renewal")
        .await?;
    at.came(1, "a forced renewal")?;

    // One that is under way is joined, whoever began it.
    at.expire();
    at.server.hold();
    let waiting = caller(&tokens, &user);
    at.server.until(2).await?;
    let spawn = || {
        let (tokens, user) = (tokens.clone(), user.clone());
        tokio::spawn(async move { tokens.select(&user).renew().await })
    };
    let forced = [spawn(), spawn()];
    settle().await;
    at.server.go();
    gives(ended(waiting).await?, "user.a2", "an ordinary caller")?;
    for forced in forced {
        gives(
            ended(forced).await?,
            "user.a2",
            "a forced renewal that joined",
        )?;
    }
    at.came(2, "two forced renewals of a flight")?;

    // One that fails leaves what there is.
    at.server.reply(Reply::new(503));
    fails(tokens.select(&user).renew().await, "met 503")?;
    gives(tokens.get(&user, None).await, "user.a2", "after a 503")
}

/// How everything of a subject is removed.
async fn empty(tokens: &TokenManager, user: &Subject, how: &str) -> Outcome {
    match how {
        "clear" => tokens.clear(user).await?,
        "clear_all" => tokens.clear_all().await?,
        _ => drop(tokens.delete_all(user).await?),
    }
    Ok(())
}

async fn cleared_in_flight(cx: Context) -> Outcome {
    for how in ["clear", "clear_all", "delete_all"] {
        for stored in [false, true] {
            let at = Setting::new(&cx).await?;
            let tokens = if stored {
                at.manager()?
            } else {
                at.in_memory()?
            };
            let user = at.session(&tokens).await?;
            at.expire();
            at.server.hold();
            let waiting = caller(&tokens, &user);
            at.server.until(1).await?;
            empty(&tokens, &user, how).await?;
            at.server.go();
            let _ = ended(waiting).await?;
            nothing_left(&at, &tokens, &user, &format!("{how} in flight")).await?;
        }
        // While the answer is being written.
        for (side, op) in [(Before, Op::Save), (After, Op::Save), (After, Op::Load)] {
            let at = Setting::new(&cx).await?;
            let tokens = at.manager()?;
            let user = at.session(&tokens).await?;
            at.expire();
            at.store.pause(side, op);
            let waiting = caller(&tokens, &user);
            at.store.stood(1).await?;
            let clearing = tokio::spawn({
                let (tokens, user) = (tokens.clone(), user.clone());
                async move { empty(&tokens, &user, how).await }
            });
            settle().await;
            at.store.resume();
            ended(clearing).await??;
            let _ = ended(waiting).await?;
            let did = format!("{how} {side:?} {op:?}");
            nothing_left(&at, &tokens, &user, &did).await?;
        }
        cleared_before_the_first(&cx, how).await?;
    }
    Ok(())
}

/// A first token, of which the store knew nothing before.
async fn cleared_before_the_first(cx: &Context, how: &str) -> Outcome {
    for (side, op) in [(Before, Op::Save), (After, Op::Save), (Before, Op::Load)] {
        let at = Setting::new(cx).await?;
        if !at.can(ClientCredentials)? {
            return Ok(());
        }
        let tokens = at.manager()?;
        at.store.pause(side, op);
        let waiting = caller(&tokens, &Subject::Client);
        at.store.stood(1).await?;
        let clearing = tokio::spawn({
            let (tokens, how) = (tokens.clone(), how.to_owned());
            async move { empty(&tokens, &Subject::Client, &how).await }
        });
        settle().await;
        at.store.resume();
        ended(clearing).await??;
        let _ = ended(waiting).await?;
        let kept = at.stored(&tokens, &Subject::Client).await?;
        ensure!(
            tokens.is_empty() && kept.is_empty(),
            "{how} {side:?} {op:?} of a first token: expected nothing to be left, got {kept:?}"
        );
    }
    Ok(())
}

async fn nothing_left(at: &Setting, tokens: &TokenManager, user: &Subject, did: &str) -> Outcome {
    ensure!(
        tokens.is_empty(),
        "{did}: expected nothing in memory, got {tokens:?}"
    );
    let kept = at.stored(tokens, user).await?;
    ensure!(
        kept.is_empty(),
        "{did}: expected nothing in the store, got {kept:?}"
    );
    let before = at.asked().len();
    ends(tokens.get(user, None).await, did)?;
    at.came(before, did)
}

async fn clear(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let other = at.beside().await?;
    let tokens = at.manager()?;
    let there = tokens.with_client(other.client()?);
    let user = at.session(&tokens).await?;
    let bob = Subject::user("bob");
    tokens.register(&bob, at.token("bob")?).await?;
    there.register(&user, other.token("there")?).await?;
    tokens.get(&Subject::Client, None).await?;
    let handle = tokens.source(&user, None);
    handle.header().await?;
    tokens.clear(&user).await?;
    ensure!(
        handle.try_header().is_none(),
        "cleared, expected the handle to have no token, it has one"
    );
    nothing_of(&at, &tokens, &user).await?;
    for manager in [&tokens, &at.other_process()?] {
        gives(manager.get(&bob, None).await, "bob.a0", "another subject")?;
        let own = manager.get(&Subject::Client, None).await;
        gives(own, "client.a1", "the client itself")?;
    }
    gives(there.get(&user, None).await, "there.a0", "another issuer")?;
    at.came(1, "one of four was cleared")?;

    tokens.clear_all().await?;
    ensure!(
        tokens.is_empty() && there.is_empty(),
        "all cleared, expected nothing in memory, got {tokens:?}"
    );
    let owners = at.store.memory().owners(None, 10).await;
    let owners = owners.unwrap_or_default();
    ensure!(
        owners.is_empty(),
        "all cleared, expected nothing in the store, got {owners:?}"
    );
    Ok(())
}

async fn nothing_of(at: &Setting, tokens: &TokenManager, user: &Subject) -> Outcome {
    let kept = at.stored(tokens, user).await?;
    ensure!(
        kept.is_empty(),
        "cleared, expected nothing in the store, got {kept:?}"
    );
    ends(tokens.get(user, None).await, "cleared")?;
    ends(at.other_process()?.get(user, None).await, "cleared")
}

/// The tokens that were revoked, in order.
fn revoked(requests: &[Received]) -> Vec<String> {
    requests
        .iter()
        .filter_map(|request| request.param("token"))
        .collect()
}

async fn delete(cx: Context) -> Outcome {
    for (sent, replies, said) in [
        ("200", vec![], [true, true]),
        ("503 twice", vec![503, 503], [false, false]),
        ("503, then 200", vec![503, 200], [false, true]),
        ("a server error, then 200", vec![500, 200], [false, true]),
    ] {
        let at = Setting::new(&cx).await?;
        let tokens = at.builder()?.revoke_on_delete(true).build();
        let user = at.session(&tokens).await?;
        for status in replies {
            at.server.reply(Reply::new(status));
        }
        let deleted = tokens.delete(&user, &AccessToken::new("user.a0")?).await?;
        let got: Vec<_> = deleted.revocations.iter().map(Result::is_ok).collect();
        ensure!(
            got == said && deleted.tokens == 1,
            "deleted, met {sent}: expected the server's words {said:?}, got {deleted:?}"
        );
        let order = revoked(&at.elsewhere());
        ensure!(
            order == ["user.r0", "user.a0"],
            "deleted: expected the refresh token to be revoked first, got {order:?}"
        );
        nothing_left(&at, &tokens, &user, &format!("deleted, met {sent}")).await?;
    }
    // Without being told to, a manager says nothing to the server.
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    tokens.delete(&user, &AccessToken::new("user.a0")?).await?;
    let count = at.server.received().len();
    ensure!(
        count == 0,
        "deleted without revocation, expected no request, got {count}"
    );
    nothing_left(&at, &tokens, &user, "deleted without revocation").await
}

async fn delete_all(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let other = at.beside().await?;
    let here = at.builder()?.revoke_on_delete(true).build();
    let second = here.with_client(at.client_named("second-client")?);
    let there = here.with_client(other.client()?);
    let user = Subject::user("user");
    let (one, _) = at.scopes()?;
    here.register(&user, at.token("here")?).await?;
    let narrow = at.token("narrow")?.with_scopes(one);
    here.register(&user, narrow.with_refresh_token(None))
        .await?;
    second.register(&user, at.token("second")?).await?;
    there.register(&user, other.token("there")?).await?;
    let bob = Subject::user("bob");
    here.register(&bob, at.token("bob")?).await?;

    let deleted = here.delete_all(&user).await?;
    let told = revoked(&at.elsewhere());
    ensure!(
        told == ["here.r0", "here.a0", "narrow.a0"] && deleted.tokens == 2,
        "all of a subject's tokens, expected each to be revoked, got {told:?}, {deleted:?}"
    );
    let before = at.elsewhere().len();
    second.delete_all(&user).await?;
    let by_second = at.elsewhere().split_off(before);
    let told = revoked(&by_second);
    ensure!(
        told == ["second.r0", "second.a0"]
            && by_second.iter().all(|call| named(call, "second-client")),
        "a second client's tokens, expected them to be revoked in its name, got {told:?}"
    );
    there.delete_all(&user).await?;
    let told = revoked(&other.elsewhere());
    ensure!(
        told == ["there.r0", "there.a0"],
        "another issuer's tokens, expected it to be told, got {told:?}"
    );
    ensure!(
        at.elsewhere().len() == before + 2,
        "another issuer's tokens, expected this one not to be told, it was"
    );
    gives(here.get(&bob, None).await, "bob.a0", "another subject")
}

/// Whether a request came in the name of this client.
fn named(request: &Received, client_id: &str) -> bool {
    use base64::{Engine, prelude::BASE64_STANDARD};

    let basic = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|pair| BASE64_STANDARD.decode(pair).ok());
    match basic {
        Some(pair) => pair.starts_with(format!("{client_id}:").as_bytes()),
        None => request.param("client_id").as_deref() == Some(client_id),
    }
}

async fn register(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    let token = tokens.get(&user, None).await?;
    ensure!(
        token.expires_at() == Some(cx.now() + LIFE) && *token.scopes() == cx.credentials().scopes,
        "registered with scopes and an end, expected them, got {token:?}"
    );
    // Kind: the same token for the client itself is the client's.
    tokens
        .register(&Subject::Client, at.token("client")?)
        .await?;
    gives(
        tokens.get(&Subject::Client, None).await,
        "client.a0",
        "registered for the client",
    )?;

    // Without an end: for as long as nobody says otherwise, unless the policy asks for one.
    let endless =
        || -> Result<TokenSet, crate::Failure> { Ok(at.token("endless")?.with_expires_at(None)) };
    let strict = at.builder()?.require_expiry(true).build();
    let someone = Subject::user("someone");
    let refused = strict.register(&someone, endless()?).await;
    let error = fails(refused, "no end, where the policy asks for one")?;
    ensure!(
        error.kind() == ErrorKind::Usage,
        "no end, where the policy asks for one, expected a usage error, got {error:?}"
    );
    nothing_left(&at, &at.other_process()?, &someone, "refused").await?;
    tokens.register(&someone, endless()?).await?;
    at.expire();
    gives(tokens.get(&someone, None).await, "endless.a0", "no end")?;
    // One that is over, and cannot be renewed.
    let over = at.token("over")?.with_refresh_token(None);
    at.expire();
    fails(
        tokens.register(&Subject::user("late"), over).await,
        "a token that is over",
    )?;
    at.came(0, "registered")?;
    if !at.can(Introspection)? {
        return Ok(());
    }

    let end = cx.now() + LIFE / 2;
    let seconds = end
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let (one, _) = at.scopes()?;
    at.server.reply(Reply::json(
        200,
        &json!({"active": true, "scope": one.to_string(), "exp": seconds.as_secs()}),
    ));
    let known = Subject::user("known");
    let access_token = AccessToken::new("known.a0")?;
    strict
        .register_introspected(&known, access_token.clone(), None)
        .await?;
    let token = strict.get(&known, Some(&one)).await?;
    ensure!(
        token.expires_at() == Some(end) && *token.scopes() == one,
        "introspected, expected its end and scopes, got {token:?}"
    );
    at.server.reply(Reply::json(200, &json!({"active": true})));
    let unknown = AccessToken::new("unknown.a0")?;
    let refused = strict.register_introspected(&someone, unknown, None).await;
    fails(
        refused,
        "introspected without an end, where the policy asks",
    )?;
    Ok(())
}

async fn sessions(cx: Context) -> Outcome {
    let at = Setting::new(&cx).await?;
    let tokens = at.manager()?;
    let user = at.session(&tokens).await?;
    let plain = Scopes::empty();
    let second = at.token("second")?.with_scopes(plain.clone());
    tokens
        .register(&user, second.with_refresh_token(None))
        .await?;
    let listed = tokens.sessions(&user).await?;
    let shown = format!("{listed:?}");
    let secrets = ["user.a0", "user.r0", "second.a0"];
    unseen_in(&shown, &secrets, "the list of sessions")?;
    ensure!(
        listed.len() == 2
            && listed[0].scopes == cx.credentials().scopes
            && listed[0].refreshable
            && !listed[1].refreshable
            && listed
                .iter()
                .all(|session| session.expires_at == Some(cx.now() + LIFE)),
        "two token sets, expected their metadata, got {shown}"
    );
    let prints: Vec<_> = listed.iter().map(|session| &session.fingerprint).collect();
    let short = prints.iter().all(|print| (8..=24).contains(&print.len()));
    ensure!(
        short && prints[0] != prints[1],
        "two token sets, expected short fingerprints that differ, got {prints:?}"
    );
    let again = tokens.sessions(&user).await?;
    ensure!(
        again[0].fingerprint == listed[0].fingerprint,
        "listed twice, expected the same fingerprint, got another"
    );
    let shown = format!(
        "{tokens:?} {:?} {:?}",
        tokens.source(&user, None),
        tokens.get(&user, None).await?
    );
    unseen_in(&shown, &secrets, "Debug of manager, handle and token")
}
