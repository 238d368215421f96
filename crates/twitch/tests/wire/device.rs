//! The device flow: polling under a clock that a test moves.

use std::time::Duration;

use oauth_core::{ErrorCode, Scopes, Token};
use twitch::{Scope, oauth_core};

use super::support::{Answer, Server, fixture};

fn scopes() -> Scopes {
    Scopes::new([Scope::ChannelManageBroadcast]).unwrap()
}

fn rfc(code: &str) -> Answer {
    Answer::new(400, format!(r#"{{"error":"{code}"}}"#))
}

#[tokio::test]
async fn it_polls_while_pending_however_that_is_spelled() {
    let pending = fixture("token.device.pending.400");
    let server = Server::of([
        fixture("device.200"),
        pending,
        rfc("authorization_pending"),
        rfc("slow_down"),
        fixture("token.device.200"),
    ])
    .await;
    let client = server.public();
    let device = client.device_code(&scopes()).await.unwrap();
    assert_eq!(
        device.verification_uri(),
        "https://www.twitch.tv/activate?public=true&device-code=ABCDEFGH",
        "unchanged"
    );
    assert_eq!(
        (device.user_code(), device.expires_in()),
        ("ABCDEFGH", Duration::from_secs(1800))
    );
    let token = client.device_token(&device).await.unwrap();
    assert_eq!(token.scopes(), &scopes());
    assert_eq!(server.asked().len(), 5);
    assert_eq!(
        server.clock.sleeps(),
        [5, 5, 5, 10].map(Duration::from_secs),
        "slow_down adds five seconds"
    );
}

#[tokio::test]
async fn an_answer_without_scopes_grants_those_that_were_asked_for() {
    let server = Server::of([fixture("device.200"), fixture("token.device.noscope.200")]).await;
    let client = server.public();
    let device = client.device_code(&scopes()).await.unwrap();
    assert_eq!(
        client.device_token(&device).await.unwrap().scopes(),
        &scopes()
    );
}

/// `invalid device code` ends the polling, and whoever thinks it is a mistake may go on.
#[tokio::test]
async fn an_invalid_device_code_is_final_but_the_code_can_be_polled_again() {
    let refused = fixture("token.device.invalid_code.400");
    let server = Server::of([fixture("device.200"), refused, fixture("token.device.200")]).await;
    let client = server.public();
    let device = client.device_code(&scopes()).await.unwrap();
    let error = client.device_token(&device).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    assert_eq!(server.asked().len(), 2, "no more polls by itself");
    assert!(client.device_token(&device).await.is_ok());
}

#[tokio::test]
async fn the_deadline_stays_across_polls() {
    let server = Server::of([
        fixture("device.200"),
        fixture("token.device.invalid_code.400"),
    ])
    .await;
    let client = server.public();
    let device = client.device_code(&scopes()).await.unwrap();
    client.device_token(&device).await.unwrap_err();
    server.clock.advance(Duration::from_secs(1800));
    let error = client.device_token(&device).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::ExpiredToken));
    assert_eq!(server.asked().len(), 2, "nothing is sent after the end");
}

#[tokio::test]
async fn an_unknown_refusal_is_final() {
    for message in ["access_denied", "missing device_code", "something new"] {
        let answer = Answer::new(400, format!(r#"{{"status":400,"message":"{message}"}}"#));
        let server = Server::of([fixture("device.200"), answer]).await;
        let client = server.public();
        let device = client.device_code(&scopes()).await.unwrap();
        client.device_token(&device).await.unwrap_err();
        assert_eq!(server.asked().len(), 2, "{message}");
    }
}
