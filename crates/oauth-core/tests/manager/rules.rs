//! The rules of refresh, one by one.

use std::time::Duration;

use http::HeaderMap;
use oauth_core::{
    ErrorKind, RetryPolicy, TokenManager, TransportErrorKind,
    manager::Event,
    store::{StoreErrorKind, Subject},
};

use crate::{
    parts::{HOUR, World, builder, client, login, seconds, settle, user},
    server::Server,
};

#[tokio::test]
async fn rule_1_fresh_is_served_early_is_renewed_behind_and_late_is_waited_for() {
    let world = World::new().await;
    assert_eq!(world.get().await, "access-0");
    assert_eq!(world.server.count(), 0);
    world.server.hold();
    world.server.clock.advance(HOUR - seconds(200));
    for _ in 0..3 {
        assert_eq!(world.get().await, "access-0");
        settle().await;
    }
    assert_eq!(world.server.count(), 1, "one renewal, behind");
    world.server.clock.advance(seconds(170));
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let tokens = world.tokens.clone();
            tokio::spawn(async move { tokens.get(&user(), None).await })
        })
        .collect();
    settle().await;
    assert!(callers.iter().all(|caller| !caller.is_finished()));
    world.server.go();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "access-1");
    }
    assert_eq!(world.server.count(), 1);
}

#[tokio::test]
async fn rule_2_a_caller_that_goes_away_only_stops_waiting() {
    let world = World::new().await;
    world.server.clock.advance(HOUR);
    world.server.hold();
    let tokens = world.tokens.clone();
    let caller = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.server.until(1).await;
    caller.abort();
    caller.await.unwrap_err();
    world.server.go();
    settle().await;
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
    assert_eq!(world.get().await, "access-1");
    assert_eq!(world.server.count(), 1);
}

#[tokio::test]
async fn rule_3_stored_then_shown_then_told() {
    let world = World::new().await;
    let mut events = world.tokens.events();
    world.server.clock.advance(HOUR);
    let saves = world.store.count("save");
    world.store.hold("save");
    let tokens = world.tokens.clone();
    let caller = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.store.until("save", saves + 1).await;
    settle().await;
    assert!(!caller.is_finished(), "it is not stored yet");
    let tokens = world.tokens.clone();
    let another = tokio::spawn(async move { tokens.get(&user(), None).await });
    settle().await;
    assert!(!another.is_finished(), "so nobody sees it");
    assert!(events.try_next().is_none(), "nor told");
    let sessions = world.tokens.sessions(&user()).await.unwrap();
    assert!(sessions[0].refreshable, "and the old one is still there");
    assert_eq!(world.stored().await.unwrap(), "refresh-0");
    world.store.up();
    for caller in [caller, another] {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "access-1");
    }
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
    assert!(matches!(events.try_next(), Some(Event::Rotated { .. })));
    assert!(matches!(events.try_next(), Some(Event::Refreshed { .. })));

    // An answer without a refresh token keeps the old one.
    world.server.rotate(false);
    world.server.clock.advance(HOUR);
    assert_eq!(world.get().await, "access-2");
    assert_eq!(world.stored().await.unwrap(), "refresh-1");
    assert!(matches!(events.try_next(), Some(Event::Refreshed { .. })));
}

#[tokio::test]
async fn rule_4_whoever_waits_for_the_lease_reads_again_and_sends_nothing() {
    let world = World::new().await;
    let other = world.another();
    world.server.clock.advance(HOUR);
    world.server.hold();
    let tokens = world.tokens.clone();
    let first = tokio::spawn(async move { tokens.get(&user(), None).await });
    world.server.until(1).await;
    let second = tokio::spawn(async move { other.get(&user(), None).await });
    settle().await;
    assert_eq!(world.server.count(), 1, "the other has the lease");
    world.server.go();
    assert_eq!(first.await.unwrap().unwrap().expose_secret(), "access-1");
    world.server.clock.advance(seconds(1));
    assert_eq!(second.await.unwrap().unwrap().expose_secret(), "access-1");
    assert_eq!(world.server.count(), 1);
}

#[tokio::test]
async fn rule_4_a_lease_that_ran_out_overwrites_nothing() {
    let world = World::new().await;
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
    assert_eq!(world.stored().await.unwrap(), "refresh-2");
}

#[tokio::test]
async fn rule_5_only_invalid_grant_ends_a_refresh_token() {
    let world = World::new().await;
    world.server.clock.advance(HOUR);
    let html = "<html>sorry</html>".to_owned();
    let said = |code: &str| format!(r#"{{"error":"{code}"}}"#);
    let failures = [
        Err(TransportErrorKind::Connect),
        Err(TransportErrorKind::Timeout),
        Err(TransportErrorKind::Interrupted),
        Ok((429, String::new())),
        Ok((503, String::new())),
        Ok((200, html)),
        Ok((200, r#"{"access_token":"cut"#.to_owned())),
        Ok((401, said("invalid_client"))),
        Ok((400, said("unauthorized_client"))),
        Ok((400, said("invalid_scope"))),
        Ok((400, said("unsupported_grant_type"))),
    ];
    for failure in failures {
        let shown = format!("{failure:?}");
        world.server.script(failure);
        let error = world.tokens.get(&user(), None).await.unwrap_err();
        assert!(!error.needs_reauthorization(), "{shown}");
        assert_eq!(world.stored().await.unwrap(), "refresh-0", "{shown}");
        world.server.clock.advance(seconds(61));
    }
    world.server.script(Ok((400, said("invalid_grant"))));
    let error = world.tokens.get(&user(), None).await.unwrap_err();
    assert!(error.needs_reauthorization(), "{error}");
    assert_eq!(world.stored().await, None);
}

#[tokio::test]
async fn rule_6_only_what_may_work_and_cannot_harm_is_tried_again() {
    let server = Server::new();
    let tokens = TokenManager::new(client(&server, "id.example.com", RetryPolicy::default()));
    server.script(Err(TransportErrorKind::Connect));
    server.script(Ok((429, String::new())));
    server.script(Ok((503, String::new())));
    tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(server.count(), 4);
    for (wait, most) in server.clock.sleeps().iter().zip([500, 1000, 2000]) {
        assert!(*wait <= Duration::from_millis(most), "{wait:?}");
    }

    server.script(Ok((400, r#"{"error":"invalid_request"}"#.to_owned())));
    tokens.select(&Subject::Client).renew().await.unwrap_err();
    assert_eq!(server.count(), 5, "a verdict");

    // A refresh token that may have reached the server is not sent a second time by itself.
    let token = login(&server, "access-0", "refresh-0");
    tokens.register(&user(), token).await.unwrap();
    server.clock.advance(HOUR);
    server.script(Err(TransportErrorKind::Connect));
    server.script(Ok((503, String::new())));
    tokens.get(&user(), None).await.unwrap_err();
    assert_eq!(server.count(), 7);
}

#[tokio::test]
async fn rule_7_a_failed_early_renewal_takes_nothing_and_a_dead_grant_is_remembered() {
    let world = World::new().await;
    world.server.clock.advance(HOUR - seconds(30));
    world.server.script(Ok((503, String::new())));
    for _ in 0..3 {
        assert_eq!(world.get().await, "access-0");
    }
    assert_eq!(world.server.count(), 1, "not at every call");
    world.server.clock.advance(seconds(2));
    let dead = r#"{"error":"invalid_grant"}"#;
    world.server.script(Ok((400, dead.to_owned())));
    for _ in 0..3 {
        assert_eq!(world.get().await, "access-0", "it lives to its end");
    }
    assert_eq!(world.server.count(), 2);
    for _ in 0..3 {
        world.server.clock.advance(HOUR);
        let error = world.tokens.get(&user(), None).await.unwrap_err();
        assert!(error.needs_reauthorization(), "{error}");
    }
    assert_eq!(world.server.count(), 2, "a dead grant is not sent again");
    world.log_in("refresh-new").await;
    world.server.clock.advance(HOUR);
    assert_eq!(world.get().await, "access-1");
    assert_eq!(
        world.server.sent(2, "refresh_token").unwrap(),
        "refresh-new"
    );
}

#[tokio::test]
async fn rule_8_windows_are_a_share_of_a_short_life() {
    let server = Server::new();
    server.lifetime(10);
    let tokens = TokenManager::new(client(&server, "id.example.com", RetryPolicy::none()));
    tokens.get(&Subject::Client, None).await.unwrap();
    server.clock.advance(Duration::from_millis(6600));
    tokens.get(&Subject::Client, None).await.unwrap();
    settle().await;
    assert_eq!(server.count(), 1, "two thirds of it are used");
    server.clock.advance(Duration::from_millis(1390));
    let token = tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-1", "renewed behind");
    settle().await;
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn rule_8_processes_with_one_expiry_do_not_come_at_once() {
    let server = Server::new();
    let processes: Vec<_> = (0..64).map(|_| builder(&server).build()).collect();
    for tokens in &processes {
        let token = login(&server, "access-0", "refresh-0");
        tokens.register(&user(), token).await.unwrap();
    }
    let mut came = Vec::new();
    // Before the window, in the quarter of it that is left to chance, after that.
    for step in [HOUR - seconds(301), seconds(38), seconds(39)] {
        server.clock.advance(step);
        for tokens in &processes {
            tokens.get(&user(), None).await.unwrap();
        }
        settle().await;
        came.push(server.count());
    }
    assert_eq!((came[0], came[2]), (0, 64));
    assert!((1..64).contains(&came[1]), "{came:?}");
}

#[tokio::test]
async fn rule_9_a_store_that_is_down_takes_no_token_away() {
    let world = World::new().await;
    let mut events = world.tokens.events();
    world.store.down();
    world.server.clock.advance(HOUR);
    assert_eq!(world.get().await, "access-1");
    let Some(Event::SaveFailed { error, .. }) = events.try_next() else {
        panic!("a rotated token that is not stored is told of");
    };
    assert_eq!(error.kind(), ErrorKind::Store);
    let why = error.store_error().unwrap().kind();
    assert_eq!(why, StoreErrorKind::Unavailable);
    let token = login(&world.server, "access-new", "refresh-new");
    let error = world.tokens.register(&user(), token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert_eq!(world.get().await, "access-new");
}

#[tokio::test]
async fn rule_10_without_a_token_nothing_is_sent() {
    let world = World::new().await;
    world.server.clock.advance(HOUR);
    world.server.script(Ok((503, String::new())));
    let handle = world.tokens.source(&user(), None);
    let mut headers = HeaderMap::new();
    handle.authorize(&mut headers).await.unwrap_err();
    assert!(headers.is_empty());
    assert_eq!(handle.try_header(), None);
    handle.header().await.unwrap_err();

    let api = "https://api.example.com/thing";
    let authorize = oauth_core::middleware::Authorize::new(handle, [api]).unwrap();
    let refused = authorize.attach(&api.parse().unwrap(), &mut headers).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Server);
    assert!(headers.is_empty());
}

/// An API that must not hear of a request without a token.
#[cfg(feature = "tower")]
#[tokio::test]
async fn rule_10_the_layer_does_not_call_the_service() {
    use std::task::{Context, Poll};
    use tower_layer::Layer;
    use tower_service::Service;

    #[derive(Clone)]
    struct Unreached;

    impl Service<http::Request<()>> for Unreached {
        type Response = http::Response<()>;
        type Error = std::convert::Infallible;
        type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<()>) -> Self::Future {
            panic!("a request was sent without a token");
        }
    }

    let world = World::new().await;
    world.server.clock.advance(HOUR);
    world.server.script(Ok((503, String::new())));
    let handle = world.tokens.source(&user(), None);
    let api = "https://api.example.com/thing";
    let authorize = oauth_core::middleware::Authorize::new(handle, [api]).unwrap();
    let mut service = oauth_core::middleware::AuthorizeLayer::new(authorize).layer(Unreached);
    service
        .call(http::Request::get(api).body(()).unwrap())
        .await
        .unwrap_err();
}
