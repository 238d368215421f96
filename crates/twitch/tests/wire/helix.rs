//! Calls of the API: three kinds of 401, one refresh, and the budget.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use oauth_core::{AccessToken, Error, ErrorKind, RefreshToken, Token};
use twitch::{
    AppToken, Client, UserToken,
    helix::{RateLimit, Unauthorized},
    oauth_core,
};

use super::support::{Answer, Server, fixture, now};

fn validation() -> Answer {
    Answer::new(
        200,
        r#"{"client_id":"cid","login":"twitchdev","scopes":[],"user_id":"1","expires_in":60}"#,
    )
}

async fn user(client: &Client, refresh_token: Option<&str>) -> UserToken {
    let refresh_token = refresh_token.map(|text| RefreshToken::new(text).unwrap());
    UserToken::from_existing(client, AccessToken::new("old").unwrap(), refresh_token)
        .await
        .unwrap()
}

fn users(client: &Client) -> http::Request<Bytes> {
    http::Request::get(client.helix_url("users").unwrap().as_str())
        .body(Bytes::new())
        .unwrap()
}

async fn keep<T>(_: T) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn a_dead_token_is_refreshed_stored_and_used() {
    let script = [
        validation(),
        fixture("helix.invalid_token.401"),
        fixture("token.refresh.200"),
        Answer::new(200, "{}"),
    ];
    let server = Server::of(script).await;
    let client = server.confidential();
    let mut token = user(&client, Some("rt")).await;
    let request = http::Request::patch(client.helix_url("channels").unwrap().as_str())
        .body("title".into())
        .unwrap();
    let stored = Mutex::new(Vec::new());
    let store = async |new: UserToken| {
        stored.lock().unwrap().push((
            new.access_token().expose_secret().to_owned(),
            server.asked().len(),
        ));
        Ok::<_, Error>(())
    };
    let answer = client
        .token_refresh_step(request, &mut token, store)
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let new = "1ssjqsqfy6bads1ws7m03gras79zfr";
    assert_eq!(
        *stored.lock().unwrap(),
        [(new.to_owned(), 3)],
        "once, and before the call is sent again"
    );
    assert_eq!(token.access_token().expose_secret(), new);
    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    assert!(
        asked[1].contains("authorization: Bearer old\n")
            && asked[3].contains(&format!("authorization: Bearer {new}\n"))
    );
    assert!(
        asked[1].ends_with("\n\ntitle") && asked[3].ends_with("\n\ntitle"),
        "the body goes again"
    );
}

#[tokio::test]
async fn no_other_401_is_worth_a_refresh() {
    for (answer, want) in [
        (
            fixture("helix.client_id_mismatch.401"),
            Unauthorized::ClientIdMismatch,
        ),
        (
            fixture("helix.oauth_prefix.401"),
            Unauthorized::MissingToken,
        ),
        (
            Answer::new(
                401,
                r#"{"error":"Unauthorized","status":401,"message":"Missing scope"}"#,
            ),
            Unauthorized::Other,
        ),
        (Answer::new(401, ""), Unauthorized::Other),
    ] {
        let server = Server::of([validation(), answer]).await;
        let client = server.confidential();
        let mut token = user(&client, Some("rt")).await;
        let error = client
            .token_refresh_step(users(&client), &mut token, keep)
            .await
            .unwrap_err();
        assert_eq!(Unauthorized::of(&error), Some(want));
        assert_eq!(server.asked().len(), 2, "{want:?}");
    }
}

#[tokio::test]
async fn it_refreshes_once() {
    let dead = fixture("helix.invalid_token.401");
    let server = Server::of([
        validation(),
        dead.clone(),
        fixture("token.refresh.200"),
        dead,
    ])
    .await;
    let client = server.confidential();
    let mut token = user(&client, Some("rt")).await;
    let error = client
        .token_refresh_step(users(&client), &mut token, keep)
        .await
        .unwrap_err();
    assert_eq!(Unauthorized::of(&error), Some(Unauthorized::InvalidToken));
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn what_cannot_be_refreshed_keeps_its_401() {
    let server = Server::of([validation(), fixture("helix.invalid_token.401")]).await;
    let client = server.confidential();
    let mut token = user(&client, None).await;
    let error = client
        .token_refresh_step(users(&client), &mut token, keep)
        .await
        .unwrap_err();
    assert_eq!(Unauthorized::of(&error), Some(Unauthorized::InvalidToken));
    assert!(error.needs_reauthorization());
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_refresh_that_fails_changes_nothing() {
    for (answer, over) in [
        (fixture("token.refresh.400"), true),
        (fixture("token.server_error.500"), false),
    ] {
        let server = Server::of([validation(), fixture("helix.invalid_token.401"), answer]).await;
        let client = server.confidential();
        let mut token = user(&client, Some("rt")).await;
        let before = token.clone();
        let error = client
            .token_refresh_step(users(&client), &mut token, keep)
            .await
            .unwrap_err();
        assert_eq!(
            (error.needs_reauthorization(), error.is_transient()),
            (over, !over)
        );
        assert_eq!(token, before);
    }
}

#[tokio::test]
async fn a_refresh_token_in_an_unusable_answer_is_stored() {
    let unusable = Answer::new(
        200,
        r#"{"access_token":"a","refresh_token":"rotated","expires_in":-1}"#,
    );
    let server = Server::of([validation(), fixture("helix.invalid_token.401"), unusable]).await;
    let client = server.confidential();
    let mut token = user(&client, Some("rt")).await;
    let mut stored = None;
    let error = client
        .token_refresh_step(users(&client), &mut token, async |kept: UserToken| {
            stored = Some(kept);
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let kept = token.refresh_token().unwrap().expose_secret();
    assert_eq!(kept, "rotated");
    assert_eq!(stored.as_ref(), Some(&token));
}

#[tokio::test]
async fn a_store_that_fails_stops_the_call_but_loses_no_token() {
    let server = Server::of([
        validation(),
        fixture("helix.invalid_token.401"),
        fixture("token.refresh.200"),
    ])
    .await;
    let client = server.confidential();
    let mut token = user(&client, Some("rt")).await;
    let full = async |_| Err(Error::usage("the disk is full"));
    let error = client
        .token_refresh_step(users(&client), &mut token, full)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    assert_eq!(server.asked().len(), 3, "the new token was not used");
    assert_eq!(
        token.access_token().expose_secret(),
        "1ssjqsqfy6bads1ws7m03gras79zfr"
    );
}

#[tokio::test]
async fn an_app_token_is_asked_for_anew() {
    let script = [
        fixture("token.app.200"),
        fixture("helix.invalid_token.401"),
        Answer::new(200, r#"{"access_token":"new"}"#),
        Answer::new(200, "{}"),
    ];
    let server = Server::of(script).await;
    let client = server.confidential();
    let mut token: AppToken = client.app_token().await.unwrap();
    client
        .token_refresh_step(users(&client), &mut token, keep)
        .await
        .unwrap();
    assert_eq!(token.access_token().expose_secret(), "new");
    let asked = server.asked();
    assert!(
        asked[2].contains("grant_type=client_credentials")
            && asked[3].contains("authorization: Bearer new\n")
    );
    assert!(!asked.concat().contains("refresh_token"));
}

#[tokio::test]
async fn an_empty_budget_is_waited_for_until_its_reset() {
    let reset = 1_700_000_002;
    let limited = Answer::new(
        429,
        r#"{"error":"Too Many Requests","status":429,"message":"Request limit exceeded"}"#,
    )
    .with("ratelimit-limit", 800)
    .with("ratelimit-remaining", 0)
    .with("ratelimit-reset", reset);
    let fine = Answer::new(200, "{}")
        .with("ratelimit-limit", 800)
        .with("ratelimit-remaining", 799)
        .with("ratelimit-reset", reset);
    let server = Server::of([validation(), limited, fine]).await;
    let client = server.confidential();
    let token = user(&client, None).await;
    let answer = client.helix(users(&client), &token).await.unwrap();
    assert_eq!(server.clock.sleeps(), [Duration::from_secs(2)]);
    let budget = RateLimit::from_headers(answer.headers()).unwrap();
    assert_eq!((budget.limit(), budget.remaining()), (Some(800), Some(799)));
    assert_eq!(budget.reset(), now() + Duration::from_secs(2));
}

#[tokio::test]
async fn a_long_wait_is_the_callers_and_a_post_is_not_repeated() {
    let limited = Answer::new(429, "")
        .with("ratelimit-remaining", 0)
        .with("ratelimit-reset", 1_700_000_055);
    let server = Server::of([
        validation(),
        limited.clone(),
        Answer::new(429, "").with("retry-after", 1),
    ])
    .await;
    let client = server.confidential();
    let token = user(&client, None).await;
    let error = client.helix(users(&client), &token).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry_after()),
        (ErrorKind::Server, Some(Duration::from_secs(55)))
    );
    let post = http::Request::post(client.helix_url("polls").unwrap().as_str())
        .body(Bytes::new())
        .unwrap();
    assert!(client.helix(post, &token).await.unwrap_err().is_transient());
    assert_eq!(server.asked().len(), 3);
    assert!(server.clock.sleeps().is_empty());
}
