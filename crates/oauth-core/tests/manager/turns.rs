//! Who waits for whom before a request, and what becomes of an answer that comes too late.

use std::time::Duration;

use oauth_core::{
    Error, ErrorKind, RetryPolicy, Token, TokenManager, TransportErrorKind,
    clock::Clock,
    manager::{ManagedToken, RefreshPolicy},
    store::{MemoryStore, StoreErrorKind, Subject, TokenStore},
};

use crate::{
    faulty::Faulty,
    parts::{HOUR, World, builder, client, login, scopes, seconds, settle, user},
    server::Server,
};

#[tokio::test]
async fn nobody_waits_for_room_with_a_lease() {
    let server = Server::stepped();
    let store = Faulty::over(MemoryStore::with_clock(std::sync::Arc::new(
        server.clock.clone(),
    )));
    let tokens = builder(&server)
        .store(store.clone())
        .policy(RefreshPolicy::default().with_concurrency(1))
        .build();
    let users = [Subject::user("1"), Subject::user("2")];
    for user in &users {
        let token = login(&server, "access-0", user.user_id().unwrap());
        tokens.register(user, token).await.unwrap();
    }
    server.clock.advance(HOUR);
    server.hold();
    let callers = users.map(|user| {
        let tokens = tokens.clone();
        tokio::spawn(async move { tokens.get(&user, None).await })
    });
    server.until(1).await;
    settle().await;
    assert_eq!(store.count("lease"), 1, "of the one that has been sent");
    server.go();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(store.count("lease"), 2);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn no_try_is_begun_that_could_outlast_the_lease() {
    let server = Server::new();
    let patient = RetryPolicy::default()
        .with_max_retries(100)
        .with_max_elapsed(Duration::from_secs(600));
    let store = MemoryStore::with_clock(std::sync::Arc::new(server.clock.clone()));
    let tokens = TokenManager::builder(client(&server, "id.example.com", patient))
        .store(store)
        .build();
    let token = login(&server, "access-0", "refresh-0");
    tokens.register(&user(), token).await.unwrap();
    server.clock.advance(HOUR);
    for _ in 0..100 {
        server.script(Err(TransportErrorKind::Connect));
    }
    let before = server.clock.monotonic();
    let error = tokens.get(&user(), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    let passed = server.clock.monotonic() - before;
    // A lease of 45 s, and a request that may take 30 s.
    assert!(passed <= seconds(15), "{passed:?}");
    assert!(server.count() > 1, "there was time for more than one");
}

#[tokio::test]
async fn a_lease_that_is_nearly_over_when_it_comes_is_not_used() {
    let world = World::new().await;
    assert_eq!(late(&world).await.unwrap().expose_secret(), "access-1");
}

#[tokio::test]
async fn that_a_process_died_is_still_known_after_a_lease_that_came_too_late() {
    let world = World::new().await;
    world.store.abandon();
    let dead = r#"{"error":"invalid_grant"}"#;
    world.server.script(Ok((400, dead.to_owned())));
    let error = late(&world).await.unwrap_err();
    assert!(error.is_interrupted(), "{error}");
}

/// Gets a token with a second lease, since the first is nearly over when it comes.
async fn late(world: &World) -> Result<ManagedToken, Error> {
    world.server.clock.advance(HOUR);
    let loads = world.store.count("load");
    let tokens = world.tokens.clone();
    world.store.hold("lease");
    let caller = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.store.until("lease", 1).await;
    world.store.hold("load");
    world.store.let_go("lease");
    world.store.until("load", loads + 2).await;
    // The store takes its time: with 16 s gone of 45, a request of 30 s could end after it.
    world.server.clock.advance(seconds(16));
    world.store.up();
    let got = caller.await.unwrap();
    assert_eq!(world.store.count("lease"), 2, "a new lease");
    assert_eq!(world.server.count(), 1);
    got
}

#[tokio::test]
async fn token_sets_of_one_owner_are_refreshed_side_by_side() {
    for stored in [false, true] {
        let server = Server::stepped();
        let builder = builder(&server);
        let store = MemoryStore::with_clock(std::sync::Arc::new(server.clock.clone()));
        let tokens = match stored {
            true => builder.store(store).build(),
            false => builder.build(),
        };
        let accounts: Vec<_> = (0..8)
            .map(|account| scopes(&format!("read:{account}")))
            .collect();
        for (account, scopes) in accounts.iter().enumerate() {
            let token = login(&server, "access-0", &format!("refresh-{account}-0"));
            let token = token.with_scopes(scopes.clone());
            let one = tokens.select(&user()).scopes(scopes.clone());
            one.register(token).await.unwrap();
        }
        server.clock.advance(HOUR);
        server.hold();
        let callers: Vec<_> = accounts
            .into_iter()
            .map(|scopes| {
                let tokens = tokens.clone();
                tokio::spawn(async move { tokens.get(&user(), Some(&scopes)).await })
            })
            .collect();
        server.until(8).await;
        server.go();
        for caller in callers {
            caller.await.unwrap().unwrap();
        }
        assert_eq!(server.count(), 8, "each refresh token once");
        assert_eq!(tokens.sessions(&user()).await.unwrap().len(), 8);
    }
}

/// The lease has run out, and another process has refreshed with the same refresh token: its access
/// token is the newer one, and a server may have ended the other with it.
#[tokio::test]
async fn an_access_token_that_comes_too_late_gives_way() {
    let world = World::new().await;
    world.server.rotate(false);
    world.server.clock.advance(HOUR);
    let saves = world.store.count("save");
    world.store.hold("save");
    let tokens = world.tokens.clone();
    let slow = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.store.until("save", saves + 1).await;
    world.server.clock.advance(seconds(46));
    let fast = builder(&world.server)
        .store(world.store.inner.clone())
        .build();
    let token = fast.get(&user(), None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-2");
    world.store.up();
    let token = slow.await.unwrap().unwrap();
    assert_eq!(token.expose_secret(), "access-2", "the newer one");
    world.tokens.clear_memory(&user());
    assert_eq!(world.get().await, "access-2", "and it is what is stored");
    assert_eq!(world.server.count(), 2);
    // Nothing that was taken meanwhile is still held.
    world.server.clock.advance(HOUR);
    assert_eq!(world.get().await, "access-3");
}

#[tokio::test]
async fn an_access_token_that_is_written_late_gives_way_within_the_second() {
    let world = World::new().await;
    world.server.rotate(false);
    world.server.clock.advance(HOUR);
    world.store.fail("save", StoreErrorKind::Unavailable);
    assert_eq!(world.get().await, "access-1");
    let other = builder(&world.server)
        .store(world.store.inner.clone())
        .build();
    let token = other.get(&user(), None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-2");
    world.store.up();
    assert_eq!(world.tokens.save_now().await, 0);
    let owner = world.tokens.owner(&user());
    let stored = world.store.inner.load(&owner).await.unwrap().unwrap();
    let tokens = stored.record.tokens();
    assert_eq!(tokens[0].token.access_token().expose_secret(), "access-2");
}

#[tokio::test]
async fn what_is_not_stored_yet_stays_in_memory_when_that_is_cleared() {
    let world = World::new().await;
    world.server.clock.advance(HOUR);
    world.store.down();
    assert_eq!(world.get().await, "access-1");
    assert!(world.tokens.clear_memory(&user()));
    world.tokens.clear_all_memory();
    assert_eq!(world.get().await, "access-1");
    world.store.up();
    assert_eq!(world.tokens.save_now().await, 0);
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
}

/// What it would bring for the new login's refresh token would be thrown away with it.
#[tokio::test]
async fn a_flight_that_was_cleared_spends_nothing_of_the_next_login() {
    let world = World::new().await;
    world.server.hold();
    let get = |asked: &str| {
        let (tokens, asked) = (world.tokens.clone(), scopes(asked));
        tokio::spawn(async move { tokens.get(&user(), Some(&asked)).await })
    };
    let first = get("read");
    world.server.until(1).await;
    // Waits for its turn.
    let second = get("write");
    settle().await;
    world.tokens.clear(&user()).await.unwrap();
    world.log_in("refresh-new").await;
    world.server.go();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    let sent = world.server.sent(1, "refresh_token");
    assert_eq!(sent.as_deref(), Some("refresh-new"));
    assert_eq!(world.stored().await.unwrap(), "refresh-2");
}
