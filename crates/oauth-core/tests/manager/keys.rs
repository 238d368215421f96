//! Which token answers which request.

use oauth_core::{
    AccessToken, TokenManager, TokenSet,
    clock::Clock,
    manager::RefreshPolicy,
    store::{Subject, TokenRequest},
};

use crate::{
    parts::{HOUR, builder, login, scopes, seconds, settle, user},
    server::Server,
};

async fn access(tokens: &TokenManager, wanted: Option<&str>) -> String {
    let wanted = wanted.map(scopes);
    let token = tokens.get(&Subject::Client, wanted.as_ref()).await.unwrap();
    token.expose_secret().to_owned()
}

#[tokio::test]
async fn a_superset_is_taken_only_when_the_policy_says_so() {
    for accept in [false, true] {
        let server = Server::new();
        let policy = RefreshPolicy::default().with_accept_superset(accept);
        let tokens = builder(&server).policy(policy).build();
        assert_eq!(access(&tokens, Some("read write")).await, "access-1");
        let expected = if accept { "access-1" } else { "access-2" };
        assert_eq!(access(&tokens, Some("read")).await, expected);
        assert_eq!(server.count(), if accept { 1 } else { 2 });
        assert_eq!(access(&tokens, Some("write read")).await, "access-1");
        access(&tokens, Some("read admin")).await;
        assert_eq!(server.count(), if accept { 2 } else { 3 }, "more is more");
    }
}

#[tokio::test]
async fn resources_and_parameters_are_part_of_the_key() {
    let server = Server::new();
    let tokens = builder(&server).build();
    let requests = [
        TokenRequest::any(),
        TokenRequest::any().resource("https://one.example.com"),
        TokenRequest::any().resource("https://two.example.com"),
        TokenRequest::any().param("audience", "one").unwrap(),
        TokenRequest::any().param("audience", "two").unwrap(),
        TokenRequest::scopes(scopes("read")).resource("https://one.example.com"),
    ];
    for round in 0..2 {
        for (index, request) in requests.iter().enumerate() {
            let selection = tokens.select(&Subject::Client).request(request.clone());
            let token = selection.get().await.unwrap();
            let expected = format!("access-{}", index + 1);
            assert_eq!(token.expose_secret(), expected, "{request:?} {round}");
        }
    }
    assert_eq!(server.count(), requests.len());
    let sent = server.sent(1, "resource");
    assert_eq!(sent.as_deref(), Some("https://one.example.com"));
    assert_eq!(server.sent(4, "audience").as_deref(), Some("two"));
    // At once: as many requests as there are keys.
    let server = Server::new();
    server.hold();
    let tokens = builder(&server).build();
    let callers: Vec<_> = (0..20)
        .map(|index| {
            let (tokens, audience) = (tokens.clone(), format!("api-{}", index % 2));
            tokio::spawn(async move {
                let selection = tokens.select(&Subject::Client);
                selection.param("audience", audience).unwrap().get().await
            })
        })
        .collect();
    server.until(2).await;
    settle().await;
    server.go();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn any_token_is_the_one_that_lives_longest() {
    let server = Server::new();
    let tokens = builder(&server).build();
    assert_eq!(access(&tokens, None).await, "access-1");
    let now = server.clock.now();
    let longer = TokenSet::new(AccessToken::new("longer").unwrap(), now)
        .with_expires_at(Some(now + HOUR * 2))
        .with_scopes(scopes("read"));
    tokens.register(&Subject::Client, longer).await.unwrap();
    assert_eq!(access(&tokens, None).await, "longer");
    // Not renewed while there is another that lives longer.
    server.clock.advance(HOUR - seconds(30));
    assert_eq!(access(&tokens, None).await, "longer");
    settle().await;
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_forced_renewal_does_not_take_the_rejected_token_from_the_store() {
    let world = crate::parts::World::new().await;
    let fresh = world.another();
    // Nothing of it is in this manager's memory yet.
    let rejected = AccessToken::new("access-0").unwrap();
    let token = fresh.select(&user()).renew_rejected(&rejected).await;
    assert_eq!(token.unwrap().expose_secret(), "access-1");
    let again = fresh.select(&user()).renew_rejected(&rejected).await;
    assert_eq!(again.unwrap().expose_secret(), "access-1");
    assert_eq!(world.server.count(), 1);
}

#[tokio::test]
async fn a_server_that_gives_the_same_token_again_is_asked_once() {
    let server = Server::new();
    let tokens = builder(&server).build();
    let same = r#"{"access_token":"same","token_type":"Bearer","expires_in":3600}"#;
    server.at("/token", 200, same);
    assert_eq!(access(&tokens, None).await, "same");
    let rejected = AccessToken::new("same").unwrap();
    let selection = tokens.select(&Subject::Client);
    let error = selection.renew_rejected(&rejected).await.unwrap_err();
    assert_eq!(error.kind(), oauth_core::ErrorKind::Protocol);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_user_never_gets_the_clients_token() {
    let server = Server::new();
    let tokens = builder(&server).build();
    access(&tokens, None).await;
    let error = tokens.get(&user(), None).await.unwrap_err();
    assert!(error.needs_reauthorization(), "{error}");
    let namesake = Subject::user("client");
    tokens
        .register(&namesake, login(&server, "access-0", "refresh-0"))
        .await
        .unwrap();
    assert_eq!(access(&tokens, None).await, "access-1");
}
