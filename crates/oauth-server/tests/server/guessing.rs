//! Limits on guessing: tokens at introspection, user codes at the verification page.

use std::time::Duration;

use http::Request;
use oauth_server::ErrorCode::{InvalidRequest, TemporarilyUnavailable};
use oauth_server::Source;

use crate::support::{CHALLENGE, as_client, assert_refused, form, world, world_with};

#[tokio::test]
async fn who_scans_for_tokens_waits_and_others_do_not() {
    let world = world_with(|it| it.introspection_throttle(3, Duration::from_secs(60)));
    let live = world.login().await;
    let ask = async |client, token| {
        let request = as_client(client, &[("token", token)]);
        world.server.introspect(&request).await
    };
    for _ in 0..3 {
        assert!(ask("app", live.access_token()).await.unwrap().is_active());
        assert!(!ask("app", "guess").await.unwrap().is_active());
    }
    // Those who bring bad tokens keep nobody from learning about good ones.
    for _ in 3..30 {
        assert!(ask("app", live.access_token()).await.unwrap().is_active());
        let error = assert_refused(ask("app", "guess").await, 429, TemporarilyUnavailable);
        assert!(error.headers().contains_key("retry-after"));
    }
    // So many are a scan, which learns of no hit.
    let hit = ask("app", live.access_token()).await;
    assert_refused(hit, 429, TemporarilyUnavailable);
    assert!(!ask("other", "guess").await.unwrap().is_active());
    world.advance(60);
    assert!(ask("app", live.access_token()).await.unwrap().is_active());
}

#[tokio::test]
async fn who_guesses_user_codes_waits() {
    let world = world_with(|it| it.throttle(3, Duration::from_secs(60)));
    let started = as_client("app", &[]);
    let started = world.server.device_authorization(&started).await.unwrap();
    let source = |host| Some(Source([127, 0, 0, host].into()));
    let verify = async |code: &str, session, host| {
        world
            .server
            .verify_user_code(code, session, source(host))
            .await
    };
    for host in 1..=3 {
        assert!(verify("BCDF-GHJK", "one", host).await.unwrap().is_none());
    }
    let limited = verify(started.user_code(), "one", 4).await;
    assert_refused(limited, 429, TemporarilyUnavailable);
    let found = verify(started.user_code(), "two", 4).await.unwrap();
    assert_eq!(found.unwrap().client_id(), "app");
    // A new session for each guess helps nobody either.
    for session in ["a", "b", "c"] {
        assert!(verify("BCDF-GHJK", session, 9).await.unwrap().is_none());
    }
    let limited = verify(started.user_code(), "d", 9).await;
    assert_refused(limited, 429, TemporarilyUnavailable);
}

#[tokio::test]
async fn one_source_does_not_use_up_what_a_public_client_may_have() {
    let world = world_with(|it| it.public_throttle(3, Duration::from_secs(60)));
    let from = |client: &str, host: u8| {
        let mut request = match client {
            "public" => form(&[
                ("client_id", "public"),
                ("response_type", "code"),
                ("redirect_uri", "http://127.0.0.1/cb"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ]),
            _ => as_client(client, &[]),
        };
        let source = Source([127, 0, 0, host].into());
        request.extensions_mut().insert(source);
        request
    };
    for _ in 0..3 {
        let started = world.server.device_authorization(&from("public", 1)).await;
        started.unwrap();
        let pushed = world.server.pushed_authorization(&from("public", 1)).await;
        pushed.unwrap();
    }
    let device = world.server.device_authorization(&from("public", 1)).await;
    let error = assert_refused(device, 429, TemporarilyUnavailable);
    assert!(error.headers().contains_key("retry-after"));
    let pushed = world.server.pushed_authorization(&from("public", 1)).await;
    assert_refused(pushed, 429, TemporarilyUnavailable);
    for (client, host) in [
        ("public", 2),
        ("app", 1),
        ("app", 1),
        ("app", 1),
        ("app", 1),
    ] {
        let other = world.server.device_authorization(&from(client, host)).await;
        other.expect("another source, or a client that authenticates");
    }
    world.advance(60);
    let later = world.server.device_authorization(&from("public", 1)).await;
    later.unwrap();
}

#[tokio::test]
async fn an_endless_query_is_not_read() {
    let world = world();
    let query = format!("/authorize?client_id=app&state={}", "x".repeat(65_000));
    let request = Request::get(query).body(bytes::Bytes::new()).unwrap();
    world.server.preauthorize(&request).await.unwrap_err();
    let world = world_with(|it| it.max_body(1_000));
    let refused = world.server.preauthorize(&request).await.unwrap_err();
    let error = assert_refused::<()>(Err(refused.error().clone()), 400, InvalidRequest);
    assert!(error.to_string().contains("too long"), "{error}");
}
