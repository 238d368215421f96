//! The store is down: reads count as a miss, and no refresh token that the server has given out is
//! lost.

use std::time::Duration;

use oauth_core::{
    AccessToken, ErrorKind, Token, TokenSet,
    manager::Event,
    store::{Issued, Record, StoreErrorKind, Subject, TokenRequest, TokenStore},
};

use crate::parts::{HOUR, World, login, seconds, settle, user};

/// How many events say that a rotated token could not be stored.
fn alarms(events: &mut oauth_core::manager::Events) -> usize {
    let all = std::iter::from_fn(|| events.try_next());
    all.filter(|event| matches!(event, Event::SaveFailed { .. }))
        .count()
}

#[tokio::test]
async fn a_read_that_fails_is_a_miss() {
    let world = World::new().await;
    world.store.down();
    assert_eq!(world.get().await, "access-0", "memory needs no store");
    world.server.clock.advance(HOUR);
    assert_eq!(world.get().await, "access-1", "the refresh token in memory");
    assert_eq!(world.server.sent(0, "refresh_token").unwrap(), "refresh-0");
}

#[tokio::test]
async fn what_cannot_be_read_is_no_reason_to_log_in_again() {
    for kind in [StoreErrorKind::Unavailable, StoreErrorKind::Unreadable] {
        let world = World::new().await;
        let fresh = world.another();
        world.store.fail("load", kind);
        let error = fresh.get(&user(), None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        assert_eq!(error.store_error().unwrap().kind(), kind);
        assert!(!error.needs_reauthorization(), "{error}");
        assert_eq!(world.server.count(), 0);
        world.store.up();
        world.server.clock.advance(seconds(61));
        let token = fresh.get(&user(), None).await.unwrap();
        assert_eq!(token.expose_secret(), "access-0");
    }
}

#[tokio::test]
async fn a_rotated_token_that_cannot_be_stored_is_handed_out_and_written_again() {
    let world = World::new().await;
    let mut events = world.tokens.events();
    world.server.clock.advance(HOUR);
    world.store.fail("save", StoreErrorKind::Unavailable);
    assert_eq!(world.get().await, "access-1");
    assert_eq!(alarms(&mut events), 1);
    assert_eq!(world.stored().await.unwrap(), "refresh-0");

    // With a backoff: each wait about twice the one before it.
    let before = world.store.count("save");
    let mut waits = Vec::new();
    for attempt in 1..=4 {
        settle().await;
        let wait = *world.server.clock.sleeps().last().unwrap();
        waits.push(wait);
        world.server.clock.advance(wait);
        world.store.until("save", before + attempt).await;
    }
    for (wait, most) in waits.iter().zip([100, 200, 400, 800]) {
        let most = Duration::from_millis(most);
        assert!(*wait <= most && *wait >= most / 2, "{waits:?}");
    }
    world.store.up();
    settle().await;
    world.server.clock.advance(seconds(2));
    settle().await;
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
    world.server.clock.advance(HOUR);
    assert_eq!(world.get().await, "access-2");
    assert_eq!(world.server.sent(1, "refresh_token").unwrap(), "refresh-1");
}

#[tokio::test]
async fn one_that_is_replaced_before_it_is_stored_leaves_the_newest() {
    let world = World::new().await;
    let mut events = world.tokens.events();
    world.store.down();
    for expected in ["access-1", "access-2"] {
        world.server.clock.advance(HOUR);
        assert_eq!(world.get().await, expected);
    }
    assert_eq!(alarms(&mut events), 2, "each loss is told of");
    assert_eq!(world.stored().await.unwrap(), "refresh-0");
    world.store.up();
    assert_eq!(world.tokens.save_now().await, 0);
    assert_eq!(world.stored().await.unwrap(), "refresh-2");
}

#[tokio::test]
async fn the_alarm_is_raised_also_when_something_else_waits_already() {
    let world = World::new().await;
    let mut events = world.tokens.events();
    world.store.down();
    let dead = AccessToken::new("access-0").unwrap();
    let told = world.tokens.invalidate(&user(), &dead).await;
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Store);
    assert_eq!(alarms(&mut events), 0, "no token is in danger");
    assert_eq!(world.get().await, "access-1");
    assert_eq!(alarms(&mut events), 1);
}

#[tokio::test]
async fn save_now_and_shutdown_wait_for_what_is_not_stored() {
    let world = World::new().await;
    world.store.down();
    world.server.clock.advance(HOUR);
    world.get().await;
    assert_eq!(world.tokens.save_now().await, 1);
    let patience = {
        let (tokens, clock) = (world.tokens.clone(), world.server.clock.clone());
        let closing = tokio::spawn(async move { tokens.shutdown(seconds(10)).await });
        settle().await;
        clock.advance(seconds(10));
        closing.await.unwrap()
    };
    assert_eq!(patience, 1);
    world.store.up();
    assert_eq!(world.tokens.shutdown(seconds(10)).await, 0);
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
}

#[tokio::test]
async fn shutdown_waits_for_a_renewal_and_says_when_it_could_not() {
    let world = World::new().await;
    world.server.clock.advance(HOUR);
    world.server.hold();
    let (tokens, clock) = (world.tokens.clone(), world.server.clock.clone());
    let caller = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.server.until(1).await;
    let tokens = world.tokens.clone();
    let closing = tokio::spawn(async move { tokens.shutdown(seconds(10)).await });
    settle().await;
    clock.advance(seconds(10));
    assert_eq!(closing.await.unwrap(), 1, "its answer is not stored yet");
    let tokens = world.tokens.clone();
    let closing = tokio::spawn(async move { tokens.shutdown(seconds(10)).await });
    settle().await;
    assert!(!closing.is_finished());
    world.server.go();
    assert_eq!(closing.await.unwrap(), 0);
    caller.await.unwrap().unwrap();
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
}

/// Another process has logged the user in while this one could not write.
#[tokio::test]
async fn a_newer_login_in_the_store_is_not_overwritten_by_a_late_write() {
    let world = World::new().await;
    world.store.down();
    world.server.clock.advance(HOUR);
    world.get().await;
    world.store.up();
    let other = world.another();
    let token = login(&world.server, "access-new", "refresh-new");
    other.register(&user(), token).await.unwrap();
    assert_eq!(world.tokens.save_now().await, 0);
    assert_eq!(world.stored().await.unwrap(), "refresh-new");
    assert_eq!(world.get().await, "access-new");
}

/// The save acted, its answer was lost; then another process has used what it stored.
#[tokio::test]
async fn a_login_that_was_stored_after_all_is_not_brought_back() {
    let world = World::new().await;
    world.store.lose_answers();
    let token = login(&world.server, "access-new", "refresh-new");
    let error = world.tokens.register(&user(), token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    world.store.up();
    // Less than what the write waits for before it is repeated.
    world.server.clock.advance(Duration::from_millis(1));
    let other = world.another();
    other.get(&user(), None).await.unwrap();
    let fresh = other.select(&user()).renew().await.unwrap();
    assert_eq!(fresh.expose_secret(), "access-1");
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
    assert_eq!(world.tokens.save_now().await, 0);
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
    assert_eq!(world.get().await, "access-1");
}

#[tokio::test]
async fn a_record_that_was_removed_meanwhile_stays_away() {
    let world = World::new().await;
    world.store.down();
    world.server.clock.advance(HOUR);
    world.get().await;
    world.store.up();
    world.another().clear(&user()).await.unwrap();
    assert_eq!(world.tokens.save_now().await, 0);
    assert_eq!(world.stored().await, None);
    let error = world.tokens.get(&user(), None).await.unwrap_err();
    assert!(error.needs_reauthorization(), "{error}");
}

#[tokio::test]
async fn a_clear_ends_the_writing() {
    let world = World::new().await;
    world.store.fail("save", StoreErrorKind::Unavailable);
    world.server.clock.advance(HOUR);
    world.get().await;
    world.tokens.clear(&user()).await.unwrap();
    let before = world.store.count("load");
    world.store.up();
    for _ in 0..10 {
        world.server.clock.advance(seconds(30));
        settle().await;
    }
    assert_eq!(world.store.count("load"), before);
    assert_eq!(world.stored().await, None);
}

/// A write that is repeated is half done when everything is cleared.
#[tokio::test]
async fn clearing_all_is_not_undone_by_a_write_that_is_repeated() {
    let world = World::new().await;
    world.store.down();
    let another = Subject::user("another");
    let token = login(&world.server, "access-new", "refresh-new");
    world.tokens.register(&another, token).await.unwrap_err();
    world.store.up();
    let saves = world.store.count("save");
    world.store.hold("save");
    let tokens = world.tokens.clone();
    let saving = tokio::spawn(async move { tokens.save_now().await });
    world.store.until("save", saves + 1).await;
    let tokens = world.tokens.clone();
    let clearing = tokio::spawn(async move { tokens.clear_all().await });
    settle().await;
    world.store.up();
    saving.await.unwrap();
    clearing.await.unwrap().unwrap();
    let owner = world.tokens.owner(&another);
    assert_eq!(world.store.refresh_token(&owner).await, None);
    assert!(world.tokens.is_empty());
}

#[tokio::test]
async fn a_store_that_always_says_conflict_neither_spins_nor_loses() {
    let world = World::new().await;
    let mut events = world.tokens.events();
    world.server.clock.advance(HOUR);
    world.store.fail("save", StoreErrorKind::Conflict);
    assert_eq!(world.get().await, "access-1");
    assert_eq!(alarms(&mut events), 1);
    world.store.up();
    assert_eq!(world.tokens.save_now().await, 0);
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
}

/// This process was stopped for longer than its lease; whoever took over was refused, because the
/// server had rotated already, and has dropped the refresh token.
#[tokio::test]
async fn an_answer_that_comes_after_the_lease_is_still_the_newest() {
    let world = World::new().await;
    world.server.accept("refresh-0");
    world.server.clock.advance(seconds(3600 - 30));
    world.server.hold();
    let tokens = world.tokens.clone();
    let slow = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.server.until(1).await;
    let owner = world.tokens.owner(&user());
    let buried = {
        let stored = world.store.inner.load(&owner).await.unwrap().unwrap();
        let mut record = Record::new();
        for Issued { request, token, .. } in stored.record.tokens() {
            record = record.with(request.clone(), token.clone().with_refresh_token(None));
        }
        let version = Some(stored.version);
        world.store.inner.save(&owner, &record, version, None).await
    };
    buried.unwrap();
    world.server.go();
    assert_eq!(slow.await.unwrap().unwrap().expose_secret(), "access-1");
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
}

/// The store was down when the flight set out, and is up when its answer comes.
#[tokio::test]
async fn an_answer_is_put_on_what_is_stored_now() {
    let world = World::new().await;
    world.server.clock.advance(HOUR);
    world.store.down();
    world.server.hold();
    let tokens = world.tokens.clone();
    let slow = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.server.until(1).await;
    world.store.up();
    world.log_in("refresh-new").await;
    world.server.go();
    let token = slow.await.unwrap().unwrap();
    assert_eq!(token.expose_secret(), "access-0", "that of the new login");
    let held = world.tokens.sessions(&user()).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(world.stored().await.unwrap(), "refresh-new");
    assert_eq!(world.get().await, "access-0");
}

#[test]
fn a_dropped_runtime_leaves_a_manager_that_still_writes() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    };
    let first = runtime();
    let world = first.block_on(async {
        let world = World::new().await;
        world.store.down();
        world.server.clock.advance(HOUR);
        world.get().await;
        world
    });
    drop(first);
    runtime().block_on(async {
        world.server.clock.advance(HOUR);
        assert_eq!(world.get().await, "access-2");
        world.store.up();
        settle().await;
        world.server.clock.advance(seconds(1));
        settle().await;
        assert_eq!(world.stored().await.unwrap(), "refresh-2");
    });
}

#[tokio::test]
async fn a_login_is_kept_although_the_record_was_removed_at_that_moment() {
    let world = World::new().await;
    let saves = world.store.count("save");
    world.store.hold("save");
    let tokens = world.tokens.clone();
    let token = login(&world.server, "access-new", "refresh-new");
    let login = tokio::spawn(async move { tokens.register(&user(), token).await });
    world.store.until("save", saves + 1).await;
    let owner = world.tokens.owner(&user());
    world.store.inner.remove(&owner).await.unwrap();
    world.store.up();
    login.await.unwrap().unwrap();
    assert_eq!(world.stored().await.unwrap(), "refresh-new");
    assert_eq!(world.get().await, "access-new");
}

/// A late 401 for a token of long ago must not show what was read before a flight landed.
#[tokio::test]
async fn what_was_read_before_a_flight_landed_is_not_shown_after_it() {
    let world = World::new().await;
    let saves = world.store.count("save");
    world.store.hold("save");
    let tokens = world.tokens.clone();
    let renewed = tokio::spawn(async move { tokens.select(&user()).renew().await });
    world.store.until("save", saves + 1).await;
    let tokens = world.tokens.clone();
    let long_ago = AccessToken::new("long-ago").unwrap();
    let late = tokio::spawn(async move { tokens.invalidate(&user(), &long_ago).await });
    settle().await;
    world.store.up();
    assert_eq!(renewed.await.unwrap().unwrap().expose_secret(), "access-1");
    late.await.unwrap().unwrap();
    assert_eq!(world.get().await, "access-1");
}

#[tokio::test]
async fn a_stored_request_is_found_again_by_another_process() {
    let world = World::new().await;
    let other = world.another();
    let record = world.store.load(&world.tokens.owner(&user())).await;
    let stored = record.unwrap().unwrap();
    let any: Vec<&TokenSet> = stored.record.tokens().iter().map(|i| &i.token).collect();
    assert_eq!(any[0].refresh_token().unwrap().expose_secret(), "refresh-0");
    assert_ne!(stored.record.tokens()[0].request, TokenRequest::any());
    let token = other.get(&user(), None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-0");
    assert_eq!(world.server.count(), 0);
}
