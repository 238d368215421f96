//! When a token's life is over, whatever a clock or a record says.

use std::time::Duration;

use oauth_core::{
    AccessToken, TokenManager,
    clock::Clock,
    store::{MemoryStore, Subject, TokenStore},
};

use crate::{basics::user_token, server::Server};

#[tokio::test]
async fn a_wall_clock_set_back_does_not_bring_a_token_back() {
    for stored in [false, true] {
        let server = Server::new();
        let builder = TokenManager::builder(server.client());
        let tokens = match stored {
            true => builder.store(MemoryStore::new()).build(),
            false => builder.build(),
        };
        let user = Subject::user("42");
        let token = user_token(&server, "refresh-0");
        tokens.register(&user, token).await.unwrap();
        server
            .clock
            .set(server.clock.now() - Duration::from_secs(86_400));
        server.clock.advance(Duration::from_secs(3600));
        let token = tokens.get(&user, None).await.unwrap();
        assert_eq!(token.expose_secret(), "access-1");
    }
}

#[tokio::test]
async fn a_token_that_introspects_as_inactive_is_not_handed_out_again() {
    let server = Server::new();
    let tokens = TokenManager::new(server.client());
    let user = Subject::user("42");
    let token = user_token(&server, "refresh-0");
    tokens.register(&user, token).await.unwrap();
    let handle = tokens.source(&user, None);
    handle.header().await.unwrap();
    server.script(Ok((200, r#"{"active":false}"#.to_owned())));
    let dead = AccessToken::new("access-0").unwrap();
    assert!(!tokens.introspect(&dead).await.unwrap().is_active());
    assert_eq!(handle.try_header(), None);
    let token = tokens.get(&user, None).await.unwrap();
    assert_eq!(token.expose_secret(), "access-1");
}

#[tokio::test]
async fn a_round_removes_all_records_that_ended() {
    let server = Server::new();
    let store = MemoryStore::new();
    let tokens = TokenManager::builder(server.client())
        .store(store.clone())
        .background_refresh(true)
        .build();
    for number in 0..1000 {
        let token = user_token(&server, "none").with_refresh_token(None);
        let user = Subject::user(number.to_string());
        tokens.register(&user, token).await.unwrap();
    }
    // One round is due a day after their end, and this request starts it.
    server.clock.advance(Duration::from_secs(3600 + 86_401));
    tokens.get(&Subject::Client, None).await.unwrap();
    while server.clock.sleeps().len() < 2 {
        tokio::task::yield_now().await;
    }
    let left = store.owners(None, 1000).await.unwrap().len();
    assert!(left <= 1, "{left}");
}
