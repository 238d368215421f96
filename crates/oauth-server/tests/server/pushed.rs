//! Pushed authorization requests (RFC 9126).

use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{InvalidClient, InvalidRequest, InvalidRequestUri, InvalidScope};
use oauth_server::{AuthorizationRequest, AuthorizeError, OAuthError};

use crate::support::{
    CALLBACK, CHALLENGE, VERIFIER, World, app, as_client, assert_refused, form, world, world_with,
};

fn fields() -> Vec<(&'static str, &'static str)> {
    vec![
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("state", "pushed"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

async fn push(world: &World) -> String {
    let request = as_client("app", &fields());
    let answer = world.server.pushed_authorization(&request).await.unwrap();
    assert_eq!(answer.expires_in(), 300);
    assert!(!format!("{answer:?}").contains(answer.request_uri()));
    answer.request_uri().to_owned()
}

async fn open(
    world: &World,
    client_id: &str,
    uri: &str,
) -> Result<AuthorizationRequest, AuthorizeError> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", client_id)
        .append_pair("request_uri", uri)
        .append_pair("state", "smuggled")
        .finish();
    let request = Request::get(format!("/authorize?{query}"));
    let request = request.body(Bytes::new()).unwrap();
    world.server.preauthorize(&request).await
}

#[track_caller]
fn page<T: std::fmt::Debug>(result: Result<T, AuthorizeError>) -> OAuthError {
    match result {
        Err(AuthorizeError::Page(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pushed_request_is_good_for_one_decision() {
    let world = world();
    let uri = push(&world).await;
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    assert!(uri.len() > 22 + 34);
    let request = open(&world, "app", &uri).await.unwrap();
    assert_eq!(
        request.state(),
        Some("pushed"),
        "only what was pushed counts"
    );
    open(&world, "app", &uri).await.expect("a reload");
    let answer = world.server.authorize(&request, "person-1").await.unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", answer.code()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    world.token(&fields).await.unwrap();
    assert_eq!(
        page(open(&world, "app", &uri).await).code(),
        InvalidRequestUri
    );
    let second = world.server.authorize(&request, "person-1").await;
    assert_eq!(page(second).code(), InvalidRequestUri);
}

#[tokio::test]
async fn it_is_its_clients_and_ends() {
    let world = world();
    let uri = push(&world).await;
    for (client, uri) in [
        ("other", uri.as_str()),
        ("app", "urn:x"),
        ("app", &format!("{uri}x")),
    ] {
        assert_eq!(
            page(open(&world, client, uri).await).code(),
            InvalidRequestUri
        );
    }
    world.advance(299);
    open(&world, "app", &uri).await.unwrap();
    world.advance(1);
    assert_eq!(
        page(open(&world, "app", &uri).await).code(),
        InvalidRequestUri
    );
    assert_eq!(world.server.purge(10).await.unwrap(), 1);
}

#[tokio::test]
async fn what_could_not_be_authorized_cannot_be_pushed() {
    let world = world();
    let refused = async |extra: (&'static str, &'static str), id| {
        let mut fields = fields();
        fields.retain(|(name, _)| *name != extra.0);
        fields.push(extra);
        world
            .server
            .pushed_authorization(&as_client(id, &fields))
            .await
    };
    for extra in [
        ("request_uri", "urn:ietf:params:oauth:request_uri:x"),
        ("redirect_uri", "https://evil.example/cb"),
        ("code_challenge_method", "plain"),
        ("response_type", ""),
        ("client_id", "other"),
    ] {
        assert_refused(refused(extra, "app").await, 400, InvalidRequest);
    }
    assert_refused(refused(("scope", "admin"), "app").await, 400, InvalidScope);
    let anonymous = world.server.pushed_authorization(&form(&fields())).await;
    assert_refused(anonymous, 401, InvalidClient);
    let mut twice = fields();
    twice.push(("state", "again"));
    let twice = world
        .server
        .pushed_authorization(&as_client("app", &twice))
        .await;
    assert_refused(twice, 400, InvalidRequest);
    let mut get = as_client("app", &fields());
    *get.method_mut() = http::Method::GET;
    assert_refused(
        world.server.pushed_authorization(&get).await,
        405,
        InvalidRequest,
    );
}

#[tokio::test]
async fn pushing_can_be_required() {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields())
        .finish();
    let request = Request::get(format!("/authorize?{query}"));
    let request = request.body(Bytes::new()).unwrap();
    let by_server = world_with(|it| it.require_pushed_authorization_requests(true));
    let by_client = world();
    let client = app("app").require_pushed_authorization_requests(true);
    by_client.clients.insert(client.build().unwrap());
    for world in [by_server, by_client] {
        let refused = world.server.preauthorize(&request).await.unwrap_err();
        assert_eq!(refused.error().code(), InvalidRequest);
        assert!(matches!(refused, AuthorizeError::Redirect { .. }));
        let uri = push(&world).await;
        open(&world, "app", &uri).await.unwrap();
    }
}

#[test]
fn the_metadata_names_the_endpoint() {
    let world = world_with(|it| {
        it.authorization_endpoint("https://auth.example/authorize")
            .require_pushed_authorization_requests(true)
    });
    let metadata = world.server.metadata();
    let endpoint = &metadata["pushed_authorization_request_endpoint"];
    assert_eq!(endpoint, "https://auth.example/par");
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
}
