use std::time::Duration;

use oauth_server::ErrorCode::{InvalidGrant, InvalidRequest, TemporarilyUnavailable};
use oauth_server::Source;

use crate::support::{as_client, assert_refused, world, world_with};

fn fields<'a>(username: &'a str, password: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("grant_type", "password"),
        ("username", username),
        ("password", password),
    ]
}

#[tokio::test]
async fn right_and_wrong() {
    let world = world();
    let token = world
        .token(&fields("ada", "her pass phrase"))
        .await
        .unwrap();
    assert_eq!(token.subject(), Some("person-1"));
    assert_eq!(token.scope().to_string(), "read");
    let wrong = world.token(&fields("ada", "wrong")).await;
    let wrong = assert_refused(wrong, 400, InvalidGrant);
    let unknown = world.token(&fields("bob", "her pass phrase")).await;
    assert_eq!(unknown.unwrap_err(), wrong);
    let long = "x".repeat(513);
    assert_eq!(world.token(&fields("ada", &long)).await.unwrap_err(), wrong);
    assert_refused(world.token(&fields("ada", "")).await, 400, InvalidRequest);
    assert_refused(world.token(&fields("", "x")).await, 400, InvalidRequest);
}

#[tokio::test]
async fn nobody_is_named_like_a_client() {
    let world = world();
    world
        .owners
        .insert("eve", "other", "her pass phrase")
        .unwrap();
    let refused = world.token(&fields("eve", "her pass phrase")).await;
    assert_refused(refused, 400, InvalidGrant);
}

#[tokio::test]
async fn guessing_is_throttled() {
    let world = world_with(|builder| builder.throttle(2, Duration::from_secs(60)));
    let from = |host: u8, password: &str| {
        let mut request = as_client("app", &fields("ada", password));
        request
            .extensions_mut()
            .insert(Source([127, 0, 0, host].into()));
        request
    };
    for _ in 0..2 {
        assert_refused(
            world.server.token(&from(1, "wrong")).await,
            400,
            InvalidGrant,
        );
    }
    let refused = world.server.token(&from(1, "her pass phrase")).await;
    assert_refused(refused, 429, TemporarilyUnavailable);
    world
        .server
        .token(&from(2, "her pass phrase"))
        .await
        .unwrap();
}
