//! A client of oauth-core through every flow against oauth-server: the two share no code, so that
//! what they agree on is the RFCs.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use oauth_core::{
    Client, ErrorCode, GenericProvider, ReqwestTransport, ServerMetadata, Token, TokenSet,
    clock::ManualClock, grant, secrecy::SecretString,
};
use oauth_emulators::Emulator;
use serde_json::json;

struct World {
    emulator: Emulator,
    clock: ManualClock,
    provider: GenericProvider,
}

impl World {
    async fn start() -> Self {
        let emulator = Emulator::rfc().start().await.unwrap();
        let transport = Arc::new(ReqwestTransport::new().unwrap());
        let metadata = ServerMetadata::discover(emulator.base_url(), transport)
            .await
            .unwrap();
        let provider = GenericProvider::from_metadata(&metadata).unwrap();
        Self {
            emulator,
            clock: ManualClock::at(SystemTime::now()),
            provider,
        }
    }

    fn client(&self, id: &str, secret: Option<&str>) -> Client {
        let builder =
            Client::builder(self.provider.clone(), id).clock(Arc::new(self.clock.clone()));
        match secret {
            Some(secret) => builder.client_secret(secret),
            None => builder,
        }
        .build()
        .unwrap()
    }

    async fn control(&self, what: &str, body: serde_json::Value) {
        let url = format!("{}{what}", self.emulator.control_url());
        let response = reqwest::Client::new()
            .post(url)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        assert!(
            response.status().is_success(),
            "{what}: {}",
            response.status()
        );
    }
}

async fn is_active(client: &Client, token: &TokenSet) -> bool {
    let text = SecretString::from(token.access_token().expose_secret());
    client.introspect(&text, None).await.unwrap().is_active()
}

#[tokio::test]
async fn client_credentials_introspection_and_revocation() {
    let world = World::start().await;
    let client = world.client("svc", Some("svc-secret"));
    let grant = grant::ClientCredentials::new().with_scopes("read".parse().unwrap());
    let token = client.exchange(&grant).await.unwrap();
    assert_eq!(token.scopes().to_string(), "read");
    assert!(token.refresh_token().is_none());
    assert!(is_active(&client, &token).await);
    client.revoke(token.access_token()).await.unwrap();
    assert!(!is_active(&client, &token).await);
}

#[tokio::test]
async fn a_code_with_pkce_becomes_tokens_once() {
    let world = World::start().await;
    let client = world.client("pub", None);
    let (url, mut pending) = client
        .authorization_request("http://127.0.0.1:7777/callback")
        .scopes("read".parse().unwrap())
        .build()
        .unwrap();
    // The browser: the emulated user agrees at once.
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = browser.get(url.as_str()).send().await.unwrap();
    let callback = answer.headers()["location"].to_str().unwrap().to_owned();

    let code = pending.accept(&callback).unwrap();
    let token = client.exchange(&code).await.unwrap();
    let error = client.exchange(&code).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    assert!(token.refresh_token().is_some());
}

#[tokio::test]
async fn a_refresh_rotates_and_a_used_token_ends_the_family() {
    let world = World::start().await;
    let client = world.client("svc", Some("svc-secret"));
    let first = client
        .exchange(&grant::Password::new("demo", "demo"))
        .await
        .unwrap();
    let second = client
        .exchange(&grant::RefreshToken::of(&first).unwrap())
        .await
        .unwrap();
    assert_ne!(first.refresh_token(), second.refresh_token());
    let reused = client
        .exchange(&grant::RefreshToken::of(&first).unwrap())
        .await
        .unwrap_err();
    assert!(reused.needs_reauthorization(), "{reused}");
    let ended = client
        .exchange(&grant::RefreshToken::of(&second).unwrap())
        .await
        .unwrap_err();
    assert!(ended.needs_reauthorization(), "{ended}");
}

#[tokio::test]
async fn a_device_is_approved_or_denied() {
    let world = World::start().await;
    let client = world.client("pub", None);
    let device = client
        .device_authorization(Some(&"read".parse().unwrap()))
        .await
        .unwrap();
    world
        .control(
            "devices",
            json!({"user_code": device.user_code(), "action": "approve"}),
        )
        .await;
    let token = client.poll_device(&device).await.unwrap();
    assert_eq!(token.scopes().to_string(), "read");

    let device = client.device_authorization(None).await.unwrap();
    world
        .control(
            "devices",
            json!({"user_code": device.user_code(), "action": "deny"}),
        )
        .await;
    let error = client.poll_device(&device).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::AccessDenied));
}

#[tokio::test]
async fn a_stored_token_set_goes_on_in_another_process() {
    let world = World::start().await;
    let client = world.client("svc", Some("svc-secret"));
    let token = client
        .exchange(&grant::Password::new("demo", "demo"))
        .await
        .unwrap();
    let kept = token.to_json();
    let again = TokenSet::from_json(&kept).unwrap();
    world.emulator.clock().advance(Duration::from_secs(10_000));
    let renewed = client
        .exchange(&grant::RefreshToken::of(&again).unwrap())
        .await
        .unwrap();
    assert!(is_active(&client, &renewed).await);
    assert!(!is_active(&client, &token).await, "expired on the server");
}
