//! Resource indicators (RFC 8707).

use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::InvalidTarget;
use oauth_server::{OAuthError, TokenResponse};
use serde_json::{Value, json};

use crate::support::{
    CHALLENGE, SECRET, World, app, as_client, assert_refused, redemption, world_with,
};

const A: (&str, &str) = ("resource", "https://a.example");
const B: (&str, &str) = ("resource", "https://b.example/path?q");
const C: (&str, &str) = ("resource", "urn:example:c");
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

fn resources() -> World {
    world_with(|builder| builder.resources([A.1, B.1, C.1]))
}

async fn audience(world: &World, token: &TokenResponse) -> Value {
    let asked = as_client("resource", &[("token", token.access_token())]);
    json!(world.server.introspect(&asked).await.unwrap())["aud"].take()
}

async fn redeem(
    world: &World,
    code: &str,
    more: &[(&str, &str)],
) -> Result<TokenResponse, OAuthError> {
    world
        .token(&[redemption(code).as_slice(), more].concat())
        .await
}

#[tokio::test]
async fn a_grant_for_several_is_narrowed_for_each_token() {
    let world = resources();
    let code = world.code("app", &[A, B]).await;
    assert_refused(redeem(&world, &code, &[C]).await, 400, InvalidTarget);
    assert_refused(redeem(&world, &code, &[A, B]).await, 400, InvalidTarget);
    let token = redeem(&world, &code, &[A])
        .await
        .expect("the code is not consumed");
    assert_eq!(audience(&world, &token).await, json!(A.1));

    // The grant is still for both.
    let refresh = ("refresh_token", token.refresh_token().unwrap());
    let grant = ("grant_type", "refresh_token");
    assert_refused(world.token(&[grant, refresh, C]).await, 400, InvalidTarget);
    let token = world.token(&[grant, refresh, B]).await.unwrap();
    assert_eq!(audience(&world, &token).await, json!(B.1));
    let token = world.refresh(token.refresh_token().unwrap()).await.unwrap();
    assert_eq!(audience(&world, &token).await, json!([A.1, B.1]));

    let token = redeem(&world, &world.code("app", &[]).await, &[])
        .await
        .unwrap();
    assert_eq!(audience(&world, &token).await, json!(null));
}

#[tokio::test]
async fn a_resource_server_learns_nothing_of_tokens_for_others() {
    let world = resources();
    let builder = oauth_server::Client::builder("resource-b").secret(SECRET);
    let builder = builder.secret_cost(oauth_server::SecretCost::LOW);
    let client = builder.introspect_any(true).resources([B.1]).build();
    world.clients.insert(client.unwrap());
    let code = world.code("app", &[A, B]).await;
    let of_both = redeem(&world, &code, &[]).await.unwrap();
    let of_a = world.token(&[GRANT, A]).await.unwrap();
    let of_b = world.token(&[GRANT, B]).await.unwrap();
    let of_any = world.token(&[GRANT]).await.unwrap();
    let active = async |client: &str, token: &TokenResponse| {
        let asked = as_client(client, &[("token", token.access_token())]);
        world.server.introspect(&asked).await.unwrap().is_active()
    };
    for (token, to_b) in [(of_a, false), (of_b, true), (of_both, true), (of_any, true)] {
        assert_eq!(active("resource-b", &token).await, to_b);
        assert!(active("app", &token).await, "its own");
        assert!(active("resource", &token).await, "held to none");
    }
}

#[tokio::test]
async fn clients_may_be_held_to_some() {
    let world = resources();
    let client = app("app").resources([A.1]).build().unwrap();
    world.clients.insert(client);
    let token = world.token(&[GRANT, A]).await.unwrap();
    assert_eq!(audience(&world, &token).await, json!(A.1));
    assert_refused(world.token(&[GRANT, B]).await, 400, InvalidTarget);
    world
        .server
        .token(&as_client("other", &[GRANT, B]))
        .await
        .unwrap();
    assert!(app("app").resources(["/relative"]).build().is_err());
    assert!(
        app("app")
            .resources(["https://a.example/#x"])
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn the_authorization_endpoint_refuses_others() {
    let world = resources();
    for bad in [
        "https://c.example",
        "/relative",
        "https://a.example%23x",
        "https://A.example",
    ] {
        let request = Request::get(format!(
            "/authorize?response_type=code&client_id=app&code_challenge={CHALLENGE}\
             &code_challenge_method=S256&resource=https://a.example&resource={bad}"
        ));
        let refused = world
            .server
            .preauthorize(&request.body(Bytes::new()).unwrap())
            .await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.error().code(), InvalidTarget, "{bad}");
        let oauth_server::AuthorizeError::Redirect { location, .. } = refused else {
            panic!("the client is told");
        };
        assert!(location.contains("error=invalid_target"), "{location}");
    }
}
