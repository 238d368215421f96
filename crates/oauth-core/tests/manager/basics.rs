//! What everybody relies on.

use std::time::Duration;

use oauth_core::{
    AccessToken, ErrorKind, RefreshToken, Scopes, TokenManager, TokenSet,
    manager::{Event, RefreshPolicy},
    store::{MemoryStore, Subject, TokenStore},
};

use crate::server::Server;

pub(crate) fn user_token(server: &Server, refresh: &str) -> TokenSet {
    use oauth_core::clock::Clock;
    let now = server.clock.now();
    TokenSet::new(AccessToken::new("access-0").unwrap(), now)
        .with_expires_at(Some(now + Duration::from_secs(3600)))
        .with_scopes("read write".parse().unwrap())
        .with_refresh_token(Some(RefreshToken::new(refresh).unwrap()))
}

fn scopes(text: &str) -> Scopes {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_valid_token_costs_no_request() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    let first = tokens.get(&Subject::Client, None).await.unwrap();
    let second = tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(first.expose_secret(), "access-1");
    assert_eq!(second.expose_secret(), "access-1");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn ten_thousand_callers_make_one_request() {
    let server = Server::new();
    server.hold();
    let tokens = TokenManager::new(server.client());
    let callers: Vec<_> = (0..10_000)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.get(&Subject::Client, None).await })
        })
        .collect();
    server.until(1).await;
    server.go();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "access-1");
    }
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn callers_who_waited_for_one_renewal_share_its_header() {
    let server = Server::new();
    server.hold();
    let handle = TokenManager::new(server.client()).source(&Subject::Client, None);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.header().await })
        })
        .collect();
    server.until(1).await;
    server.go();
    let ready = handle.header().await.unwrap();
    for caller in callers {
        let header = caller.await.unwrap().unwrap();
        assert_eq!(header.as_bytes().as_ptr(), ready.as_bytes().as_ptr());
    }
}

#[tokio::test]
async fn a_rotated_refresh_token_is_stored_before_the_access_token_is_seen() {
    let server = Server::new();
    let store = MemoryStore::new();
    let tokens = TokenManager::builder(server.client())
        .store(store.clone())
        .build();
    let user = Subject::user("42");
    tokens
        .register(&user, user_token(&server, "refresh-0"))
        .await
        .unwrap();
    server.clock.advance(Duration::from_secs(3600));
    let token = tokens.get(&user, None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-1");
    assert_eq!(
        server.sent(0, "refresh_token").as_deref(),
        Some("refresh-0")
    );
    let stored = store.load(&tokens.owner(&user)).await.unwrap().unwrap();
    let kept = &stored.record.tokens()[0].token;
    use oauth_core::Token;
    assert_eq!(kept.refresh_token().unwrap().expose_secret(), "refresh-1");
    assert_eq!(kept.scopes(), &scopes("read write"));
}

#[tokio::test]
async fn invalid_grant_ends_the_grant_and_is_not_asked_again() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    let mut events = tokens.events();
    let user = Subject::user("42");
    tokens
        .register(&user, user_token(&server, "dead"))
        .await
        .unwrap();
    server.accept("another");
    server.clock.advance(Duration::from_secs(3600));
    for _ in 0..3 {
        let error = tokens.get(&user, None).await.unwrap_err();
        assert!(error.needs_reauthorization(), "{error}");
    }
    assert_eq!(server.count(), 1);
    let mut seen = Vec::new();
    while let Some(event) = events.try_next() {
        seen.push(event);
    }
    assert!(
        seen.iter()
            .any(|event| matches!(event, Event::ReauthorizationRequired { .. })),
        "{seen:?}"
    );
    tokens
        .register(&user, user_token(&server, "another"))
        .await
        .unwrap();
    assert_eq!(
        tokens.get(&user, None).await.unwrap().expose_secret(),
        "access-0"
    );
}

#[tokio::test]
async fn a_failure_keeps_the_refresh_token_and_is_remembered_for_a_moment() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    let user = Subject::user("42");
    tokens
        .register(&user, user_token(&server, "refresh-0"))
        .await
        .unwrap();
    server.clock.advance(Duration::from_secs(3600));
    server.script(Ok((503, String::new())));
    let error = tokens.get(&user, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(tokens.get(&user, None).await.is_err());
    assert_eq!(server.count(), 1);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(
        tokens.get(&user, None).await.unwrap().expose_secret(),
        "access-1"
    );
    assert_eq!(
        server.sent(1, "refresh_token").as_deref(),
        Some("refresh-0")
    );
}

#[tokio::test]
async fn in_the_advisory_window_nobody_waits() {
    let server = Server::new();
    let tokens = TokenManager::builder(server.client())
        .policy(RefreshPolicy::default())
        .build();
    tokens.get(&Subject::Client, None).await.unwrap();
    server.clock.advance(Duration::from_secs(3600 - 200));
    server.hold();
    assert_eq!(
        tokens
            .get(&Subject::Client, None)
            .await
            .unwrap()
            .expose_secret(),
        "access-1"
    );
    server.until(2).await;
    assert_eq!(
        tokens
            .get(&Subject::Client, None)
            .await
            .unwrap()
            .expose_secret(),
        "access-1"
    );
    server.go();
    while tokens
        .get(&Subject::Client, None)
        .await
        .unwrap()
        .expose_secret()
        != "access-2"
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn the_handle_follows_whoever_renews() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    let handle = tokens.source(&Subject::Client, None);
    assert_eq!(handle.header().await.unwrap(), "Bearer access-1");
    assert!(handle.header().await.unwrap().is_sensitive());
    let rejected = AccessToken::new("access-1").unwrap();
    let (a, b) = tokio::join!(handle.renew(&rejected), handle.renew(&rejected));
    assert_eq!(a.unwrap().expose_secret(), "access-2");
    assert_eq!(b.unwrap().expose_secret(), "access-2");
    assert_eq!(handle.try_header(), None);
    assert_eq!(handle.header().await.unwrap(), "Bearer access-2");
    assert_eq!(
        handle.renew(&rejected).await.unwrap().expose_secret(),
        "access-2"
    );
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_clear_is_not_undone_by_a_flight() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    server.hold();
    let caller = {
        let tokens = tokens.clone();
        tokio::spawn(async move { tokens.get(&Subject::Client, None).await })
    };
    server.until(1).await;
    tokens.clear(&Subject::Client).await.unwrap();
    server.go();
    assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "access-1");
    assert!(tokens.is_empty());
    assert_eq!(
        tokens
            .get(&Subject::Client, None)
            .await
            .unwrap()
            .expose_secret(),
        "access-2"
    );
}

#[tokio::test]
async fn an_invalidation_is_not_undone_by_a_flight() {
    for (stored, answers) in [(false, true), (false, false), (true, true), (true, false)] {
        let server = Server::new();
        let builder = TokenManager::builder(server.client());
        let tokens = match stored {
            true => builder.store(MemoryStore::new()).build(),
            false => builder.build(),
        };
        let user = Subject::user("user");
        tokens
            .register(&user, user_token(&server, "refresh-0"))
            .await
            .unwrap();
        let handle = tokens.source(&user, None);
        let dead = handle.token().await.unwrap().access_token();
        // It looks good still: the flight may end in its being kept.
        server.hold();
        if !answers {
            server.script(Ok((503, String::new())));
        }
        let flight = {
            let (tokens, user) = (tokens.clone(), user.clone());
            tokio::spawn(async move { tokens.select(&user).renew().await })
        };
        server.until(1).await;
        tokens.invalidate(&user, &dead).await.unwrap();
        server.go();
        assert_eq!(flight.await.unwrap().is_ok(), answers);
        let mut given = vec![tokens.get(&user, None).await, handle.token().await];
        given.push(tokens.select(&user).get().await);
        for given in given {
            let given = given.map(|token| token.expose_secret().to_owned());
            assert_ne!(given.as_deref().ok(), Some("access-0"), "stored: {stored}");
            assert_eq!(given.is_ok(), answers, "stored: {stored}");
        }
    }
}

#[tokio::test]
async fn two_managers_with_one_store_spend_a_refresh_token_once() {
    let server = Server::new();
    server.accept("refresh-0");
    let store = MemoryStore::new();
    let manager = || {
        TokenManager::builder(server.client())
            .store(store.clone())
            .build()
    };
    let (one, two) = (manager(), manager());
    let user = Subject::user("42");
    one.register(&user, user_token(&server, "refresh-0"))
        .await
        .unwrap();
    server.clock.advance(Duration::from_secs(3600));
    let (a, b) = tokio::join!(one.get(&user, None), two.get(&user, None));
    assert_eq!(a.unwrap().expose_secret(), "access-1");
    assert_eq!(b.unwrap().expose_secret(), "access-1");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_narrower_token_leaves_the_refresh_token_whole() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    let user = Subject::user("42");
    tokens
        .register(&user, user_token(&server, "refresh-0"))
        .await
        .unwrap();
    let narrow = tokens.get(&user, Some(&scopes("read"))).await.unwrap();
    assert_eq!(narrow.expose_secret(), "access-1");
    assert_eq!(server.sent(0, "scope").as_deref(), Some("read"));
    let whole = tokens
        .get(&user, Some(&scopes("write read")))
        .await
        .unwrap();
    assert_eq!(whole.expose_secret(), "access-0");
    server.clock.advance(Duration::from_secs(3600));
    assert_eq!(
        tokens
            .get(&user, Some(&scopes("read write")))
            .await
            .unwrap()
            .expose_secret(),
        "access-2"
    );
    assert_eq!(
        server.sent(1, "refresh_token").as_deref(),
        Some("refresh-1")
    );
}

#[tokio::test]
async fn the_memory_is_cleared_at_once_and_a_flight_brings_nothing_back() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    assert!(!tokens.clear_memory(&Subject::Client), "there was nothing");
    server.hold();
    let caller = {
        let tokens = tokens.clone();
        tokio::spawn(async move { tokens.get(&Subject::Client, None).await })
    };
    server.until(1).await;
    assert!(tokens.clear_memory(&Subject::Client), "one was under way");
    server.go();
    assert_eq!(caller.await.unwrap().unwrap().expose_secret(), "access-1");
    assert!(tokens.is_empty());
    tokens.get(&Subject::Client, None).await.unwrap();
    assert!(tokens.clear_memory(&Subject::Client), "there was a token");
    tokens.get(&Subject::Client, None).await.unwrap();
    tokens.clear_all_memory();
    assert!(tokens.is_empty());
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_no_token_longer() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    tokens.get(&Subject::Client, None).await.unwrap();
    server.clock.advance(Duration::from_secs(3600));
    server.clock.set(std::time::SystemTime::UNIX_EPOCH);
    let token = tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-2");
}

#[tokio::test]
async fn failures_need_not_be_remembered() {
    let server = Server::new();
    let tokens = TokenManager::builder(server.client())
        .policy(RefreshPolicy::default().with_failures_remembered(false))
        .build();
    let down = || server.script(Ok((503, String::new())));
    down();
    assert!(tokens.get(&Subject::Client, None).await.is_err());
    tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(server.count(), 2, "nothing worked: it is asked again");
    server.clock.advance(Duration::from_secs(3600 - 30));
    down();
    for _ in 0..3 {
        let token = tokens.get(&Subject::Client, None).await.unwrap();
        assert_eq!(token.expose_secret(), "access-1");
    }
    assert_eq!(server.count(), 3, "the old one works: not at every call");
}

/// The client itself, for scopes that no refresh can name.
#[tokio::test]
async fn what_cannot_be_narrowed_is_asked_for() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client_without_narrowing());
    let user = user_token(&server, "refresh-0");
    tokens
        .select(&Subject::Client)
        .register(user.clone())
        .await
        .unwrap();
    let narrow = scopes("read");
    let token = tokens.get(&Subject::Client, Some(&narrow)).await.unwrap();
    assert_eq!(token.expose_secret(), "access-1");
    let grant = server.sent(0, "grant_type");
    assert_eq!(grant.as_deref(), Some("client_credentials"));

    // For a user nobody can ask.
    let subject = Subject::user("42");
    tokens.register(&subject, user).await.unwrap();
    let error = tokens.get(&subject, Some(&narrow)).await.unwrap_err();
    assert!(!error.needs_reauthorization(), "{error}");
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_provider_says_in_its_own_way_that_a_refresh_token_is_dead() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client_of_prose());
    tokens
        .register(&Subject::Client, user_token(&server, "refresh-0"))
        .await
        .unwrap();
    server.clock.advance(Duration::from_secs(3600));
    server.script(Ok((400, r#"{"error":"no such session"}"#.to_owned())));
    let token = tokens.get(&Subject::Client, None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-1");
    assert_eq!(token.token_set().refresh_expires_at(), None);
    let grants: Vec<_> = (0..server.count())
        .filter_map(|index| server.sent(index, "grant_type"))
        .collect();
    assert_eq!(grants, ["refresh_token", "client_credentials"]);
}

/// A source with errors of its own.
#[derive(Debug)]
struct Broken;

#[async_trait::async_trait]
impl oauth_core::manager::TokenSource for Broken {
    async fn token(
        &self,
        _: &oauth_core::Client,
        _: &Subject,
        _: &oauth_core::store::TokenRequest,
    ) -> Result<Option<TokenSet>, oauth_core::Error> {
        let why = std::fmt::Error;
        let recovery = oauth_core::Recovery::Retry { after: None };
        Err(oauth_core::Error::token_source(why, recovery))
    }
}

#[tokio::test]
async fn the_errors_of_a_source_come_through() {
    let server = Server::new();
    let tokens = TokenManager::builder(server.client())
        .source(Broken)
        .build();
    let error = tokens.get(&Subject::Client, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenSource);
    assert!(error.is_transient());
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.is::<std::fmt::Error>());
}

#[tokio::test]
async fn a_new_login_takes_the_place_of_all_that_was_there() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    let user = Subject::user("42");
    tokens
        .register(&user, user_token(&server, "refresh-0"))
        .await
        .unwrap();
    tokens.get(&user, Some(&scopes("read"))).await.unwrap();
    assert_eq!(tokens.sessions(&user).await.unwrap().len(), 2);
    let login = TokenSet::new(AccessToken::new("login").unwrap(), {
        use oauth_core::clock::Clock;
        server.clock.now()
    });
    tokens.replace(&user, login).await.unwrap();
    assert_eq!(tokens.sessions(&user).await.unwrap().len(), 1);
    let token = tokens.get(&user, None).await.unwrap();
    assert_eq!(token.expose_secret(), "login");
}
