//! Introspection, deletion, clearing.

use std::time::SystemTime;

use oauth_core::{
    AccessToken, ErrorKind, RetryPolicy, Token, TokenManager,
    manager::{Event, RefreshPolicy},
    store::{MemoryStore, StoreErrorKind, Subject, TokenStore},
};

use crate::{
    parts::{HOUR, World, builder, client, login, scopes, seconds, settle, user},
    server::Server,
};

fn token() -> AccessToken {
    AccessToken::new("somebodys-token").unwrap()
}

fn introspected(server: &Server, active: bool, life: i64) {
    let end = 1_700_000_000_i64 + life;
    let body = format!(r#"{{"active":{active},"exp":{end},"scope":"read"}}"#);
    server.at("/introspect", 200, &body);
}

#[tokio::test]
async fn a_token_is_introspected_once_per_interval_however_many_ask() {
    let server = Server::new();
    introspected(&server, true, 3600);
    let tokens = builder(&server)
        .min_introspect_interval(seconds(20))
        .build();
    server.hold();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.introspect(&token()).await })
        })
        .collect();
    server.until(1).await;
    settle().await;
    // The one that asks goes away: another asks.
    callers[0].abort();
    server.go();
    for caller in callers.into_iter().skip(1) {
        assert!(caller.await.unwrap().unwrap().is_active());
    }
    let asked = server.asked("/introspect");
    assert!(asked <= 2, "{asked}");
    server.clock.advance(seconds(19));
    tokens.introspect(&token()).await.unwrap();
    assert_eq!(server.asked("/introspect"), asked);
    server.clock.advance(seconds(1));
    tokens.introspect(&token()).await.unwrap();
    assert_eq!(server.asked("/introspect"), asked + 1);
}

#[tokio::test]
async fn an_introspection_that_fails_is_one_request_for_all_and_then_a_backoff() {
    let server = Server::new();
    server.at("/introspect", 503, "");
    let tokens = builder(&server).build();
    server.hold();
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.introspect(&token()).await })
        })
        .collect();
    server.until(1).await;
    settle().await;
    server.go();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
    }
    assert_eq!(server.asked("/introspect"), 1);
    server.clock.advance(seconds(1));
    tokens.introspect(&token()).await.unwrap_err();
    server.clock.advance(seconds(1) / 2);
    tokens.introspect(&token()).await.unwrap_err();
    assert_eq!(server.asked("/introspect"), 2, "doubled");
    introspected(&server, true, 3600);
    server.clock.advance(seconds(2));
    assert!(tokens.introspect(&token()).await.unwrap().is_active());
    assert_eq!(server.asked("/introspect"), 3);
}

#[tokio::test]
async fn an_introspection_is_believed_no_longer_than_the_token_lives() {
    let server = Server::new();
    introspected(&server, true, 5);
    let tokens = builder(&server).min_introspect_interval(HOUR).build();
    assert!(tokens.introspect(&token()).await.unwrap().is_active());
    introspected(&server, false, 5);
    server.clock.advance(seconds(4));
    assert!(tokens.introspect(&token()).await.unwrap().is_active());
    server.clock.advance(seconds(1));
    assert!(!tokens.introspect(&token()).await.unwrap().is_active());
    assert_eq!(server.asked("/introspect"), 2);
}

#[tokio::test]
async fn an_inactive_answer_is_kept_for_the_interval_at_most() {
    let server = Server::new();
    server.at("/introspect", 200, r#"{"active":false}"#);
    let tokens = builder(&server).build();
    for _ in 0..3 {
        assert!(!tokens.introspect(&token()).await.unwrap().is_active());
    }
    assert_eq!(server.asked("/introspect"), 1);
    server.clock.advance(seconds(30));
    tokens.introspect(&token()).await.unwrap();
    assert_eq!(server.asked("/introspect"), 2);
}

#[tokio::test]
async fn after_a_revocation_the_server_is_asked_anew() {
    let server = Server::new();
    introspected(&server, true, 3600);
    server.at("/revoke", 200, "");
    let tokens = builder(&server).build();
    assert!(tokens.introspect(&token()).await.unwrap().is_active());
    tokens.revoke(&user(), &token()).await.unwrap();
    introspected(&server, false, 3600);
    assert!(!tokens.introspect(&token()).await.unwrap().is_active());
}

#[tokio::test]
async fn a_token_of_which_nothing_is_known_is_kept_as_the_server_describes_it() {
    let server = Server::new();
    introspected(&server, true, 600);
    let tokens = builder(&server).build();
    let kept = tokens.register_introspected(&user(), token(), None).await;
    assert_eq!(*kept.unwrap().scopes(), scopes("read"));
    introspected(&server, false, 600);
    server.clock.advance(seconds(30));
    let refused = tokens.register_introspected(&user(), token(), None).await;
    assert!(refused.unwrap_err().needs_reauthorization());
    assert!(tokens.is_empty(), "refused and removed");
}

#[tokio::test]
async fn a_token_without_a_lifetime_is_introspected_if_the_manager_is_to() {
    let server = Server::new();
    introspected(&server, true, 600);
    let unknown = || login(&server, "somebodys-token", "").with_expires_at(None);
    let silent = builder(&server).build();
    let kept = silent.register(&user(), unknown()).await.unwrap();
    assert_eq!((kept.expires_at(), server.count()), (None, 0));

    let tokens = builder(&server).auto_introspect(true).build();
    let kept = tokens.register(&user(), unknown()).await.unwrap();
    let end = SystemTime::UNIX_EPOCH + seconds(1_700_000_600);
    assert_eq!(kept.expires_at(), Some(end));
    // What says itself when it ends is not asked about.
    let known = login(&server, "another", "");
    tokens.register(&user(), known).await.unwrap();
    assert_eq!(server.asked("/introspect"), 1);

    // A server that cannot be asked costs no token, one that says no does.
    server.clock.advance(seconds(30));
    server.at("/introspect", 503, "");
    let kept = tokens.register(&user(), unknown()).await.unwrap();
    assert_eq!(kept.expires_at(), None);
    server.clock.advance(seconds(30));
    introspected(&server, false, 600);
    let refused = tokens.register(&user(), unknown()).await.unwrap_err();
    assert!(refused.needs_reauthorization());
}

#[tokio::test]
async fn a_granted_token_without_a_lifetime_is_introspected_after_it_was_handed_out() {
    let server = Server::new();
    introspected(&server, true, 600);
    let store = MemoryStore::new();
    let tokens = builder(&server)
        .auto_introspect(true)
        .store(store.clone())
        .build();
    let endless = r#"{"access_token":"endless","token_type":"bearer"}"#;
    server.script(Ok((200, endless.to_owned())));
    let token = tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(token.expires_at(), None, "the caller did not wait");
    server.until(2).await;
    settle().await;
    let end = SystemTime::UNIX_EPOCH + seconds(1_700_000_600);
    let token = tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(token.expires_at(), Some(end));
    let owner = store.owners(None, 2).await.unwrap().remove(0);
    let stored = store.load(&owner).await.unwrap().unwrap();
    assert_eq!(stored.record.tokens()[0].token.expires_at(), Some(end));
    server.clock.advance(seconds(600));
    let next = tokens.get(&Subject::Client, None).await.unwrap();
    assert_ne!(next.expose_secret(), "endless");
}

#[tokio::test]
async fn a_server_that_calls_its_new_tokens_ended_is_not_asked_for_one_at_every_call() {
    for (active, ends_in) in [(true, -1), (false, 600)] {
        ended_anew(active, ends_in).await;
    }
}

async fn ended_anew(active: bool, ends_in: i64) {
    let server = Server::new();
    introspected(&server, active, ends_in);
    let tokens = builder(&server).auto_introspect(true).build();
    let endless = r#"{"access_token":"endless","token_type":"bearer"}"#;
    server.script(Ok((200, endless.to_owned())));
    for _ in 0..3 {
        let token = tokens.get(&Subject::Client, None).await.unwrap();
        assert_eq!(token.expose_secret(), "endless");
        server.until(2).await;
        settle().await;
    }
    assert_eq!(server.count(), 2, "one token, one introspection");
    if active {
        return;
    }
    // Who asks by themselves is believed.
    let endless = AccessToken::new("endless").unwrap();
    assert!(!tokens.introspect(&endless).await.unwrap().is_active());
    let next = tokens.get(&Subject::Client, None).await.unwrap();
    assert_ne!(next.expose_secret(), "endless");
}

/// What was revoked, in order.
fn revoked(server: &Server) -> Vec<String> {
    let paths = server.paths();
    let revocations = (0..paths.len()).filter(|index| paths[*index] == "/revoke");
    revocations
        .filter_map(|index| server.sent(index, "token"))
        .collect()
}

#[tokio::test]
async fn deleting_revokes_the_refresh_token_first_and_deletes_whatever_the_server_says() {
    for (status, fine) in [(200, true), (503, false), (400, false)] {
        let server = Server::new();
        server.at("/revoke", status, "");
        let tokens = builder(&server).revoke_on_delete(true).build();
        let mut events = tokens.events();
        let narrow = login(&server, "narrow", "").with_scopes(scopes("read"));
        tokens.register(&user(), narrow).await.unwrap();
        let token = login(&server, "access-0", "refresh-0");
        tokens.register(&user(), token).await.unwrap();
        let dead = AccessToken::new("access-0").unwrap();
        let deleted = tokens.delete(&user(), &dead).await.unwrap();
        assert_eq!(deleted.tokens, 1);
        let said: Vec<_> = deleted.revocations.iter().map(Result::is_ok).collect();
        assert_eq!(said, [fine, fine], "{status}");
        assert_eq!(revoked(&server), ["refresh-0", "access-0"]);
        let left = tokens.get(&user(), None).await.unwrap();
        assert_eq!(left.expose_secret(), "narrow");
        let all = std::iter::from_fn(|| events.try_next());
        let told = all.filter(|event| matches!(event, Event::Revoked { .. }));
        assert_eq!(told.count(), usize::from(fine));
    }
}

#[tokio::test]
async fn the_server_is_told_also_when_the_store_is_not() {
    let world = World::new().await;
    let tokens = builder(&world.server)
        .store(world.store.clone())
        .revoke_on_delete(true)
        .build();
    world.server.at("/revoke", 200, "");
    tokens.get(&user(), None).await.unwrap();
    for call in ["save", "remove"] {
        world.store.fail(call, StoreErrorKind::Unavailable);
    }
    let dead = AccessToken::new("access-0").unwrap();
    let error = tokens.delete(&user(), &dead).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(revoked(&world.server), ["refresh-0", "access-0"]);
}

#[tokio::test]
async fn deleting_all_revokes_each_token_at_its_own_issuer() {
    let (one, two) = (Server::new(), Server::new());
    for server in [&one, &two] {
        server.at("/revoke", 200, "");
    }
    let first = builder(&one).revoke_on_delete(true).build();
    let second = first.with_client(client(&two, "other.example.com", RetryPolicy::none()));
    for (tokens, server, name) in [(&first, &one, "one"), (&second, &two, "two")] {
        let token = login(
            server,
            &format!("access-{name}"),
            &format!("refresh-{name}"),
        );
        tokens.register(&user(), token).await.unwrap();
    }
    let deleted = first.delete_all(&user()).await.unwrap();
    assert_eq!(deleted.tokens, 1);
    assert_eq!(revoked(&one), ["refresh-one", "access-one"]);
    assert!(revoked(&two).is_empty());
    let other = second.get(&user(), None).await.unwrap();
    assert_eq!(other.expose_secret(), "access-two");
    second.delete_all(&user()).await.unwrap();
    assert_eq!(revoked(&two), ["refresh-two", "access-two"]);
}

/// A refresh token that has been replaced is never revoked: a server may end the whole grant.
#[tokio::test]
async fn what_a_flight_has_replaced_meanwhile_is_not_revoked() {
    let world = World::new().await;
    let tokens = builder(&world.server)
        .store(world.store.clone())
        .revoke_on_delete(true)
        .build();
    world.server.at("/revoke", 200, "");
    tokens.get(&user(), None).await.unwrap();
    let saves = world.store.count("save");
    world.store.hold("save");
    let renewing = tokens.clone();
    let renewed = tokio::spawn(async move { renewing.select(&user()).renew().await });
    world.store.until("save", saves + 1).await;
    let deleting = tokio::spawn(async move { tokens.delete_all(&user()).await });
    settle().await;
    world.store.up();
    renewed.await.unwrap().unwrap();
    deleting.await.unwrap().unwrap();
    assert_eq!(revoked(&world.server), ["refresh-1", "access-1"]);
    assert_eq!(world.stored().await, None);
}

/// Whoever deletes goes away while the store is asked, or while the server is.
#[tokio::test]
async fn a_deletion_that_was_given_up_still_revokes() {
    for all in [false, true] {
        for stand_at in ["load", "save", "remove", "/revoke"] {
            let world = World::new().await;
            let tokens = builder(&world.server)
                .store(world.store.clone())
                .revoke_on_delete(true)
                .build();
            world.server.at("/revoke", 200, "");
            introspected(&world.server, true, 3600);
            tokens.get(&user(), None).await.unwrap();
            let dead = AccessToken::new("access-0").unwrap();
            assert!(tokens.introspect(&dead).await.unwrap().is_active());
            world.store.hold(stand_at);
            if stand_at == "/revoke" {
                world.server.hold();
            }
            let (deleting, token) = (tokens.clone(), dead.clone());
            let deleting = tokio::spawn(async move {
                match all {
                    true => deleting.delete_all(&user()).await,
                    false => deleting.delete(&user(), &token).await,
                }
            });
            settle().await;
            deleting.abort();
            world.store.up();
            world.server.go();
            settle().await;
            let gone = revoked(&world.server);
            assert_eq!(gone, ["refresh-0", "access-0"], "{all} {stand_at}");
            assert_eq!(world.stored().await, None);
            introspected(&world.server, false, 3600);
            let said = tokens.introspect(&dead).await.unwrap();
            assert!(!said.is_active(), "what was known before is forgotten");
        }
    }
}

#[tokio::test]
async fn a_clear_that_was_given_up_takes_no_refresh_token_away() {
    let world = World::new().await;
    world.server.clock.advance(HOUR);
    let saves = world.store.count("save");
    world.store.hold("save");
    let tokens = world.tokens.clone();
    let renewed = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.store.until("save", saves + 1).await;
    let tokens = world.tokens.clone();
    let clearing = tokio::spawn(async move { tokens.clear(&user()).await });
    settle().await;
    clearing.abort();
    clearing.await.unwrap_err();
    world.store.up();
    renewed.await.unwrap().unwrap();
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
}

#[tokio::test]
async fn two_managers_of_one_client_are_one() {
    let server = Server::new();
    let tokens = TokenManager::builder(server.client())
        .policy(RefreshPolicy::default())
        .build();
    let twin = tokens.with_client(server.client());
    server.hold();
    let callers = [tokens.clone(), twin.clone()]
        .map(|tokens| tokio::spawn(async move { tokens.get(&Subject::Client, None).await }));
    server.until(1).await;
    settle().await;
    server.go();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "access-1");
    }
    assert_eq!(server.count(), 1);
    twin.clear(&Subject::Client).await.unwrap();
    assert!(tokens.is_empty());
}
