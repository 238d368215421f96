//! What is GitHub's own, against a server that answers as GitHub documents it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use example_provider::GitHub;
use oauth_conformance::{Reply, ScriptedServer};
use oauth_core::{
    Client, ClientBuilder, ErrorCode, Token,
    clock::{Clock, ManualClock},
    grant::AuthorizationCode,
};
use serde_json::json;

async fn github(reply: Reply) -> (ScriptedServer, Client) {
    let (server, builder) = github_at([reply]).await;
    (server, builder.build().unwrap())
}

async fn github_at(replies: impl IntoIterator<Item = Reply>) -> (ScriptedServer, ClientBuilder) {
    let server = ScriptedServer::start(replies).await.unwrap();
    let github = GitHub::at(server.base_url()).unwrap();
    let builder = Client::builder(github, "client").client_secret("client-secret");
    (server, builder)
}

#[tokio::test]
async fn a_code_becomes_a_token_that_does_not_end() {
    let answer = json!({"access_token": "gho_1", "token_type": "bearer", "scope": "repo,gist"});
    let (server, client) = github(Reply::json(200, &answer)).await;
    let token = client
        .exchange(&AuthorizationCode::new("code"))
        .await
        .unwrap();
    assert_eq!(token.expires_at(), None);
    assert_eq!(token.scopes().to_string(), "gist repo");
    let request = server.last().unwrap();
    assert_eq!(request.path(), "/login/oauth/access_token");
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(
        request.param("client_secret").as_deref(),
        Some("client-secret")
    );
}

#[tokio::test]
async fn a_form_is_read_too() {
    let form = "access_token=gho_1&scope=repo%2Cgist&token_type=bearer";
    let reply = Reply::new(200).header("Content-Type", "application/x-www-form-urlencoded");
    let (_server, client) = github(reply.body(form)).await;
    let token = client
        .exchange(&AuthorizationCode::new("code"))
        .await
        .unwrap();
    assert_eq!(token.access_token().expose_secret(), "gho_1");
}

#[tokio::test]
async fn a_refusal_has_status_200() {
    let answer = json!({"error": "bad_verification_code", "error_description": "expired"});
    let (_server, client) = github(Reply::json(200, &answer)).await;
    let error = client
        .exchange(&AuthorizationCode::new("code"))
        .await
        .unwrap_err();
    assert_eq!(
        error.oauth_error().unwrap().code(),
        &ErrorCode::InvalidGrant
    );
}

#[tokio::test]
async fn the_device_flow_polls_the_token_endpoint() {
    let device = json!({
        "device_code": "d", "user_code": "WDJB-MJHT", "interval": 5, "expires_in": 900,
        "verification_uri": "https://github.com/login/device",
    });
    let pending = json!({"error": "authorization_pending"});
    let token = json!({"access_token": "gho_1", "token_type": "bearer", "scope": "repo"});
    let answers = [device, pending.clone(), pending, token].map(|answer| Reply::json(200, &answer));
    let (server, builder) = github_at(answers).await;
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH);
    let client = builder.clock(Arc::new(clock.clone())).build().unwrap();
    let device = client.device_authorization(None).await.unwrap();
    assert_eq!(server.last().unwrap().path(), "/login/device/code");
    assert_eq!(device.user_code(), "WDJB-MJHT");
    let token = client.poll_device(&device).await.unwrap();
    assert_eq!(token.access_token().expose_secret(), "gho_1");
    let received = server.received();
    assert_eq!(received.len(), 4);
    for poll in &received[1..] {
        assert_eq!(poll.path(), "/login/oauth/access_token");
        assert_eq!(poll.param("device_code").as_deref(), Some("d"));
    }
    let waited = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert!(waited >= Duration::from_secs(10), "{waited:?}");
}
