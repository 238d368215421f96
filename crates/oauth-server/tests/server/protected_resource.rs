//! What resources in the same process ask (RFC 6750).

use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{InsufficientScope, InvalidRequest, InvalidToken};
use oauth_server::{AccessTokenRecord, OAuthError, ProtectedResource, Scope};

use crate::support::{World, assert_refused, world, world_with};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const URL: &str = "https://api.example/reports";

fn reports() -> ProtectedResource {
    ProtectedResource::new(URL)
}

async fn access(
    world: &World,
    authorization: &str,
    resource: &ProtectedResource,
) -> Result<AccessTokenRecord, OAuthError> {
    let request = Request::get("/reports").header("authorization", authorization);
    let request = request.body(Bytes::new()).unwrap();
    world.server.authorize_access(&request, resource).await
}

fn challenge(error: &OAuthError) -> String {
    error.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn without_credentials_there_is_no_error_to_tell() {
    let world = world();
    let nothing = Request::get("/reports").body(Bytes::new()).unwrap();
    let refused = world.server.authorize_access(&nothing, &reports()).await;
    let error = assert_refused(refused, 401, InvalidToken);
    assert_eq!(challenge(&error), "Bearer realm=\"oauth\"");
    for other in ["Basic YTpi", "Bearer", "Bearer ", "token"] {
        let error = access(&world, other, &reports()).await.unwrap_err();
        assert_eq!(challenge(&error), "Bearer realm=\"oauth\"", "{other}");
    }
}

#[tokio::test]
async fn dead_tokens() {
    let world = world();
    let expired = world.token(&[GRANT]).await.unwrap();
    world.advance(3600);
    let revoked = world.token(&[GRANT]).await.unwrap();
    world
        .server
        .revoke_token(revoked.access_token())
        .await
        .unwrap();
    let refresh = world.login().await.refresh_token().unwrap().to_owned();
    for token in [
        "unknown",
        expired.access_token(),
        revoked.access_token(),
        &refresh,
    ] {
        let refused = access(&world, &format!("Bearer {token}"), &reports()).await;
        let error = assert_refused(refused, 401, InvalidToken);
        let challenge = challenge(&error);
        assert!(challenge.starts_with("Bearer realm=\"oauth\", error=\"invalid_token\""));
        assert!(!challenge.contains(token));
    }
}

#[tokio::test]
async fn too_little_scope() {
    let world = world();
    let token = world.token(&[GRANT, ("scope", "read")]).await.unwrap();
    let bearer = format!("Bearer {}", token.access_token());
    let write = reports().scope(Scope::parse("read write").unwrap());
    let error = assert_refused(
        access(&world, &bearer, &write).await,
        403,
        InsufficientScope,
    );
    assert!(challenge(&error).contains("error=\"insufficient_scope\""));
    let read = reports().scope(Scope::parse("read").unwrap());
    let record = access(&world, &bearer, &read).await.unwrap();
    assert_eq!(record.client_id(), "app");
}

#[tokio::test]
async fn where_the_token_stands() {
    let world = world();
    let token = world.token(&[GRANT]).await.unwrap();
    let token = token.access_token();
    for good in [
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("Bearer    {token}"),
    ] {
        access(&world, &good, &reports()).await.expect(&good);
    }
    let header = format!("Bearer {token}");
    let query = Request::get(format!("/reports?access_token={token}"));
    let body = || Bytes::from(format!("access_token={token}"));
    let form = "application/x-www-form-urlencoded";
    for request in [
        query.body(Bytes::new()).unwrap(),
        Request::get(format!("/reports?a=b&access_token={token}"))
            .header("authorization", &header)
            .body(Bytes::new())
            .unwrap(),
        Request::post("/reports")
            .header("content-type", form)
            .body(body())
            .unwrap(),
        Request::post("/reports")
            .header("content-type", form)
            .header("authorization", &header)
            .body(body())
            .unwrap(),
        Request::get("/reports")
            .header("authorization", &header)
            .header("authorization", &header)
            .body(Bytes::new())
            .unwrap(),
    ] {
        let refused = world.server.authorize_access(&request, &reports()).await;
        assert_refused(refused, 400, InvalidRequest);
    }
}

#[tokio::test]
async fn tokens_for_others() {
    let world = world_with(|it| it.resources(["https://a.example", "https://b.example"]));
    let limited = world
        .token(&[GRANT, ("resource", "https://a.example")])
        .await
        .unwrap();
    let limited = format!("Bearer {}", limited.access_token());
    let free = world.token(&[GRANT]).await.unwrap();
    let free = format!("Bearer {}", free.access_token());
    let (a, b) = (
        reports().audience("https://a.example"),
        reports().audience("https://b.example"),
    );
    access(&world, &limited, &a).await.unwrap();
    assert_refused(access(&world, &limited, &b).await, 401, InvalidToken);
    assert_refused(
        access(&world, &limited, &reports()).await,
        401,
        InvalidToken,
    );
    for resource in [a, b, reports()] {
        access(&world, &free, &resource).await.unwrap();
    }
}
