use oauth_server::ErrorCode::{InvalidClient, InvalidGrant, InvalidRequest, UnauthorizedClient};
use oauth_server::{GrantType, Scope};
use serde_json::{Value, json};

use crate::support::{World, as_client, assert_refused, form, world};

async fn introspect(world: &World, client: &str, token: &str) -> Value {
    let request = as_client(client, &[("token", token), ("token_type_hint", "nonsense")]);
    json!(world.server.introspect(&request).await.unwrap())
}

async fn revoke(world: &World, client: &str, token: &str) -> Result<(), oauth_server::OAuthError> {
    world
        .server
        .revoke(&as_client(client, &[("token", token)]))
        .await
}

#[tokio::test]
async fn a_live_token_is_described() {
    let world = world();
    let token = world.login().await;
    let expected = json!({
        "active": true,
        "scope": "read write",
        "client_id": "app",
        "token_type": "Bearer",
        "sub": "person-1",
        "iss": "https://auth.example",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    });
    assert_eq!(
        introspect(&world, "app", token.access_token()).await,
        expected
    );
    assert_eq!(
        introspect(&world, "resource", token.access_token()).await,
        expected
    );
    let refresh = introspect(&world, "app", token.refresh_token().unwrap()).await;
    assert_eq!(refresh["active"], true);
    assert_eq!(refresh.get("token_type"), None, "not for a resource");
    let seen = introspect(&world, "resource", token.refresh_token().unwrap()).await;
    assert_eq!(
        seen,
        json!({ "active": false }),
        "it would pass for an access token"
    );

    let own = world
        .token(&[("grant_type", "client_credentials")])
        .await
        .unwrap();
    assert_eq!(
        introspect(&world, "app", own.access_token()).await["sub"],
        "app"
    );
}

#[tokio::test]
async fn anything_else_is_inactive() {
    let world = world();
    let inactive = json!({ "active": false });
    let token = world.login().await;
    let next = world.refresh(token.refresh_token().unwrap()).await.unwrap();
    for unknown in ["unknown", token.refresh_token().unwrap()] {
        assert_eq!(
            introspect(&world, "app", unknown).await,
            inactive,
            "{unknown}"
        );
    }
    assert_eq!(
        introspect(&world, "other", next.access_token()).await,
        inactive
    );
    world.advance(3600);
    assert_eq!(
        introspect(&world, "app", next.access_token()).await,
        inactive
    );
}

#[tokio::test]
async fn who_may_ask() {
    let world = world();
    for nobody in [
        form(&[("token", "x")]),
        form(&[("token", "x"), ("client_id", "public")]),
    ] {
        assert_refused(world.server.introspect(&nobody).await, 401, InvalidClient);
    }
    assert_refused(
        world.server.revoke(&form(&[("token", "x")])).await,
        401,
        InvalidClient,
    );
    for missing in [
        as_client("app", &[]),
        as_client("app", &[("token", "x"), ("token", "x")]),
    ] {
        assert_refused(world.server.introspect(&missing).await, 400, InvalidRequest);
        assert_refused(world.server.revoke(&missing).await, 400, InvalidRequest);
    }
    let mut get = as_client("app", &[("token", "x")]);
    *get.method_mut() = http::Method::GET;
    assert_refused(world.server.introspect(&get).await, 405, InvalidRequest);
    assert_refused(world.server.revoke(&get).await, 405, InvalidRequest);
}

#[tokio::test]
async fn revoked_tokens_are_dead() {
    let world = world();
    let token = world.login().await;
    let refresh = token.refresh_token().unwrap();
    revoke(&world, "app", token.access_token()).await.unwrap();
    assert!(!world.is_live(token.access_token()).await);
    let next = world.refresh(refresh).await.expect("the grant lives on");

    revoke(&world, "app", next.refresh_token().unwrap())
        .await
        .unwrap();
    assert!(
        !world.is_live(next.access_token()).await,
        "with the grant die its tokens"
    );
    assert_refused(
        world.refresh(next.refresh_token().unwrap()).await,
        400,
        InvalidGrant,
    );
    for gone in [
        token.access_token(),
        next.refresh_token().unwrap(),
        "garbage",
    ] {
        revoke(&world, "app", gone).await.unwrap();
    }
}

#[tokio::test]
async fn tokens_of_others_are_left_alone() {
    let world = world();
    let token = world.login().await;
    for token in [token.access_token(), token.refresh_token().unwrap()] {
        let refused = revoke(&world, "other", token).await;
        assert_refused(refused, 400, UnauthorizedClient);
        let public = form(&[("client_id", "public"), ("token", token)]);
        world.server.revoke(&public).await.unwrap();
    }
    assert!(world.is_live(token.access_token()).await);
    world.refresh(token.refresh_token().unwrap()).await.unwrap();
}

#[tokio::test]
async fn from_inside_the_process() {
    let world = world();
    let scope = Scope::parse("anything").unwrap();
    let issue = async |client, subject| {
        let grant = GrantType::AuthorizationCode;
        world
            .server
            .issue(client, grant, Some(subject), &scope)
            .await
            .unwrap()
    };
    let (a, b, c) = (
        issue("app", "p1").await,
        issue("app", "p2").await,
        issue("other", "p1").await,
    );
    assert_eq!(
        world
            .server
            .revoke_access_tokens(Some("app"))
            .await
            .unwrap(),
        2
    );
    assert!(!world.is_live(a.access_token()).await);
    assert!(world.is_live(c.access_token()).await);
    world
        .refresh(a.refresh_token().unwrap())
        .await
        .expect("refresh tokens stay");

    assert_eq!(
        world
            .server
            .revoke_grants(Some("app"), Some("p2"))
            .await
            .unwrap(),
        1
    );
    assert_refused(
        world.refresh(b.refresh_token().unwrap()).await,
        400,
        InvalidGrant,
    );
    assert!(world.server.revoke_grants(None, None).await.unwrap() > 0);
    assert!(!world.is_live(c.access_token()).await);
    assert!(!world.server.revoke_token(c.access_token()).await.unwrap());

    let impossible = world
        .server
        .issue("unknown", GrantType::Password, None, &scope)
        .await;
    assert_refused(impossible, 400, InvalidClient);
}
