//! Typed tokens: each is what it says it is, or there is none.

use std::time::Duration;

use oauth_core::{AccessToken, ErrorKind, RefreshToken, Scopes, Token, TokenSet};
use twitch::{AppToken, UserToken, oauth_core};

use super::support::{Answer, Server, fixture, now};

fn access() -> AccessToken {
    AccessToken::new("at").unwrap()
}

fn validation(client_id: &str, user: Option<&str>, expires_in: u64) -> Answer {
    let members = match user {
        Some(user) => {
            serde_json::json!({"client_id": client_id, "login": "twitchdev", "user_id": user, "scopes": ["chat:read"], "expires_in": expires_in})
        }
        None => serde_json::json!({"client_id": client_id, "scopes": [], "expires_in": expires_in}),
    };
    Answer::new(200, members.to_string())
}

#[tokio::test]
async fn a_user_token_knows_whose_it_is() {
    let server = Server::of([validation("cid", Some("1"), 60)]).await;
    let refresh = RefreshToken::new("rt").unwrap();
    let token = UserToken::from_existing(&server.public(), access(), Some(refresh.clone()))
        .await
        .unwrap();
    assert_eq!(
        (token.user_id(), token.login(), token.client_id()),
        ("1", "twitchdev", "cid")
    );
    assert_eq!(token.scopes(), &Scopes::new(["chat:read"]).unwrap());
    assert_eq!(token.expires_at(), Some(now() + Duration::from_secs(60)));
    assert_eq!(token.refresh_token(), Some(&refresh));
}

#[tokio::test]
async fn a_user_token_is_no_app_token_and_the_reverse() {
    let server = Server::of([
        validation("cid", None, 60),
        validation("cid", Some("1"), 60),
    ])
    .await;
    let client = server.confidential();
    let user = UserToken::from_existing(&client, access(), None)
        .await
        .unwrap_err();
    let app = AppToken::from_existing(&client, access())
        .await
        .unwrap_err();
    assert_eq!(
        (user.kind(), app.kind()),
        (ErrorKind::Usage, ErrorKind::Usage)
    );
}

#[tokio::test]
async fn a_token_of_another_client_is_refused() {
    let server = Server::of([
        validation("other", Some("1"), 60),
        validation("other", None, 60),
    ])
    .await;
    let client = server.confidential();
    assert!(
        UserToken::from_existing(&client, access(), None)
            .await
            .is_err()
    );
    assert!(AppToken::from_existing(&client, access()).await.is_err());

    let server = Server::of([validation("cid", Some("1"), 60)]).await;
    let token = UserToken::from_existing(
        &server.public(),
        access(),
        Some(RefreshToken::new("rt").unwrap()),
    )
    .await
    .unwrap();
    let other = twitch::Client::builder("other").build().unwrap();
    assert_eq!(
        other.token_refresh(&token).await.unwrap_err().kind(),
        ErrorKind::Usage
    );
}

#[tokio::test]
async fn zero_seconds_are_for_ever_in_a_validation() {
    let server = Server::of([validation("cid", None, 0)]).await;
    let token = AppToken::from_existing(&server.confidential(), access())
        .await
        .unwrap();
    assert_eq!(token.expires_at(), None);
}

#[tokio::test]
async fn a_refresh_keeps_the_user_and_takes_everything_else_from_the_answer() {
    let server = Server::of([
        validation("cid", Some("1"), 60),
        fixture("token.refresh.200"),
    ])
    .await;
    let client = server.confidential();
    let old = UserToken::from_existing(&client, access(), Some(RefreshToken::new("rt").unwrap()))
        .await
        .unwrap();
    let new = client.token_refresh(&old).await.unwrap();
    assert_eq!(
        (new.user_id(), new.login(), new.client_id()),
        ("1", "twitchdev", "cid")
    );
    assert_eq!(
        new.access_token().expose_secret(),
        "1ssjqsqfy6bads1ws7m03gras79zfr"
    );
    assert_eq!(
        new.refresh_token().unwrap().expose_secret(),
        "eyJfMzUtNDU0OC4MWYwLTQ5MDY5ODY4NGNlMSJ9%asdfasdf="
    );
    assert_eq!(new.expires_at(), None, "the answer names no end");
    assert!(!new.token_set().is_expired(now()));
}

#[tokio::test]
async fn a_token_without_a_refresh_token_is_not_sent() {
    let server = Server::of([validation("cid", Some("1"), 60)]).await;
    let client = server.confidential();
    let token = UserToken::from_existing(&client, access(), None)
        .await
        .unwrap();
    assert_eq!(
        client.token_refresh(&token).await.unwrap_err().kind(),
        ErrorKind::Usage
    );
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_token_comes_back_from_a_store() {
    let server = Server::of([
        validation("cid", Some("1"), 60),
        validation("cid", Some("1"), 60),
    ])
    .await;
    let client = server.public();
    let token = UserToken::from_existing(&client, access(), Some(RefreshToken::new("rt").unwrap()))
        .await
        .unwrap();
    let kept = token.token_set().to_json();
    let back = UserToken::from_token_set(&client, &TokenSet::from_json(&kept).unwrap())
        .await
        .unwrap();
    assert_eq!(back, token);
}
