use oauth_server::ErrorCode::{
    AccessDenied, AuthorizationPending, ExpiredToken, InvalidClient, InvalidGrant, SlowDown,
    UnauthorizedClient,
};
use oauth_server::{DeviceAuthorizationResponse, GrantType, OAuthError, TokenResponse};

use crate::support::{World, app, as_client, assert_refused, form, world};

async fn start(world: &World) -> DeviceAuthorizationResponse {
    let request = as_client("app", &[("scope", "read")]);
    world.server.device_authorization(&request).await.unwrap()
}

async fn poll(world: &World, device_code: &str) -> Result<TokenResponse, OAuthError> {
    world
        .token(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device_code),
        ])
        .await
}

#[tokio::test]
async fn approved() {
    let world = world();
    let started = start(&world).await;
    assert_eq!((started.expires_in(), started.interval()), (1800, 5));
    assert_eq!(started.verification_uri(), "https://auth.example/device");
    assert!(
        started
            .verification_uri_complete()
            .ends_with(started.user_code())
    );
    assert_refused(
        poll(&world, started.device_code()).await,
        400,
        AuthorizationPending,
    );

    let typed = format!(" {} ", started.user_code().to_lowercase().replace('-', " "));
    let shown = world.server.device_request(&typed).await.unwrap().unwrap();
    assert_eq!(
        (shown.client_id(), shown.scope().to_string().as_str()),
        ("app", "read")
    );
    assert!(
        world
            .server
            .approve_device(&typed, "person-1")
            .await
            .unwrap()
    );
    assert!(
        !world.server.deny_device(&typed).await.unwrap(),
        "it is decided"
    );

    let token = poll(&world, started.device_code()).await.unwrap();
    assert_eq!(token.subject(), Some("person-1"));
    assert!(token.refresh_token().is_some());

    assert_refused(poll(&world, started.device_code()).await, 400, InvalidGrant);
    assert!(
        !world.is_live(token.access_token()).await,
        "a used code that returns"
    );
}

#[tokio::test]
async fn polling_too_fast_slows_down_for_good() {
    let world = world();
    let code = start(&world).await.device_code().to_owned();
    let expect = async |wait, verdict| {
        world.advance(wait);
        assert_refused(poll(&world, &code).await, 400, verdict);
    };
    expect(0, AuthorizationPending).await;
    expect(4, SlowDown).await;
    expect(9, SlowDown).await;
    expect(14, SlowDown).await;
    expect(20, AuthorizationPending).await;
    expect(19, SlowDown).await;
}

#[tokio::test]
async fn denied_expired_and_foreign() {
    let world = world();
    let denied = start(&world).await;
    assert!(world.server.deny_device(denied.user_code()).await.unwrap());
    assert_refused(poll(&world, denied.device_code()).await, 400, AccessDenied);

    let expired = start(&world).await;
    let foreign = as_client(
        "other",
        &[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", expired.device_code()),
        ],
    );
    assert_refused(world.server.token(&foreign).await, 400, InvalidGrant);
    assert_refused(poll(&world, "unknown").await, 400, InvalidGrant);
    world.advance(1800);
    assert_refused(poll(&world, expired.device_code()).await, 400, ExpiredToken);
    let late = world
        .server
        .approve_device(expired.user_code(), "person-1")
        .await;
    assert!(!late.unwrap());
}

#[tokio::test]
async fn a_person_who_left_meanwhile() {
    let world = world();
    let started = start(&world).await;
    let approved = world.server.approve_device(started.user_code(), "person-1");
    assert!(approved.await.unwrap());
    assert!(world.owners.remove("ada"));
    assert_refused(poll(&world, started.device_code()).await, 400, InvalidGrant);
    assert_eq!(
        world.tokens.dump()["access_tokens"],
        serde_json::json!([]),
        "nothing is issued"
    );
}

#[tokio::test]
async fn who_may_start() {
    let world = world();
    let public = form(&[("client_id", "public")]);
    world.server.device_authorization(&public).await.unwrap();
    let nobody = world.server.device_authorization(&form(&[])).await;
    assert_refused(nobody, 401, InvalidClient);
    let without = app("app")
        .grants([GrantType::ClientCredentials])
        .build()
        .unwrap();
    world.clients.insert(without);
    let refused = world
        .server
        .device_authorization(&as_client("app", &[]))
        .await;
    assert_refused(refused, 400, UnauthorizedClient);
    let client = world.server.approve_device("ABCD-EFGH", "other").await;
    assert_refused(client, 400, InvalidGrant);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_polls_at_once_get_one_token() {
    let world = std::sync::Arc::new(world());
    let started = start(&world).await;
    assert!(
        world
            .server
            .approve_device(started.user_code(), "person-1")
            .await
            .unwrap()
    );
    let requests = (0..50).map(|_| {
        let (world, code) = (world.clone(), started.device_code().to_owned());
        tokio::spawn(async move { poll(&world, &code).await })
    });
    let mut won = 0;
    for request in requests.collect::<Vec<_>>() {
        won += usize::from(request.await.unwrap().is_ok());
    }
    assert_eq!(won, 1);
}
