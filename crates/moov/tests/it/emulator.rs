//! The whole way against the emulator: create, refresh, call, revoke.

use moov::{BodyFormat, Client, Credentials, ErrorKind, RevokeAccessToken, Scope, Token};
use oauth_emulators::Emulator;

fn builder(emulator: &Emulator) -> moov::ClientBuilder {
    Client::builder(emulator.client_id(), emulator.client_secret()).base_url(emulator.base_url())
}

#[tokio::test]
async fn a_token_lives_and_ends() {
    let emulator = Emulator::moov().start().await.unwrap();
    for (body, credentials) in [
        (BodyFormat::Json, Credentials::Basic),
        (BodyFormat::Json, Credentials::Body),
        (BodyFormat::Json, Credentials::Both),
        (BodyFormat::Form, Credentials::Basic),
        (BodyFormat::Form, Credentials::Body),
        (BodyFormat::Form, Credentials::Both),
    ] {
        let client = builder(&emulator)
            .origin("https://example.com")
            .body(body)
            .credentials(credentials)
            .build()
            .unwrap();
        let first = client
            .client_credentials(Scope::accounts_read())
            .await
            .unwrap();
        let lifetime = first.expires_in(emulator.clock().now()).unwrap();
        assert!(
            lifetime.as_secs() > 0 && lifetime.as_secs() <= 3600,
            "{lifetime:?}"
        );

        let second = client
            .refresh(first.refresh_token().unwrap())
            .await
            .unwrap();
        assert!(second.access_token() != first.access_token());
        client
            .revoke_access_token(RevokeAccessToken::refresh_token(
                second.refresh_token().unwrap(),
            ))
            .await
            .unwrap();

        let error = client
            .refresh(second.refresh_token().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AuthTokenRequestError, "{error}");
        assert!(error.field("refresh_token").is_some());
        let third = client.renew(&second, Scope::accounts_read()).await.unwrap();
        assert!(third.refresh_token().is_some());
    }
}

#[tokio::test]
async fn without_an_origin_the_door_is_shut() {
    let emulator = Emulator::moov().start().await.unwrap();
    let client = builder(&emulator).without_origin().build().unwrap();
    let error = client
        .client_credentials(Scope::accounts_read())
        .await
        .unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 403);
    assert_eq!(
        error.recovery(),
        moov::oauth_core::Recovery::FixConfiguration
    );
    let client = builder(&emulator)
        .referer("https://example.com/pay")
        .build()
        .unwrap();
    client
        .client_credentials(Scope::accounts_read())
        .await
        .unwrap();
}
