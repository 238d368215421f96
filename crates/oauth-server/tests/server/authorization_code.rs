use std::collections::HashMap;

use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{
    AccessDenied, InvalidGrant, InvalidRequest, InvalidScope, UnauthorizedClient,
    UnsupportedResponseType,
};
use oauth_server::{AuthorizeError, AuthorizeResponse, ErrorCode, GrantType};

use crate::support::{
    CALLBACK, CHALLENGE, ISSUER, VERIFIER, World, app, as_client, assert_refused, form, world,
};

const PKCE: [(&str, &str); 2] = [
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

fn query(fields: &[(&str, &str)]) -> Request<Bytes> {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    Request::get(format!("/authorize?{query}"))
        .body(Bytes::new())
        .unwrap()
}

/// A good request of `app`, with some fields changed, added, or (when empty) left out.
fn good(changes: &[(&'static str, &'static str)]) -> Request<Bytes> {
    let mut fields = HashMap::from([
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("state", "a state & more"),
        PKCE[0],
        PKCE[1],
    ]);
    fields.extend(changes.iter().copied());
    query(&fields.into_iter().collect::<Vec<_>>())
}

fn answer(location: &str) -> HashMap<String, String> {
    let (_, query) = location.split_once('?').unwrap();
    form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect()
}

async fn authorize(world: &World, request: &Request<Bytes>) -> AuthorizeResponse {
    let request = world.server.preauthorize(request).await.unwrap();
    world.server.authorize(&request, "person-1").await.unwrap()
}

async fn code(world: &World) -> String {
    authorize(world, &good(&[])).await.code().to_owned()
}

fn redeem(code: &str, changes: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
    let mut fields = HashMap::from([
        ("grant_type", "authorization_code"),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("code", code),
    ]);
    fields.extend(changes.iter().copied());
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

async fn exchange(
    world: &World,
    client: &str,
    fields: &[(String, String)],
) -> Result<oauth_server::TokenResponse, oauth_server::OAuthError> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    world.server.token(&as_client(client, &fields)).await
}

#[tokio::test]
async fn code_for_token() {
    let world = world();
    let response = authorize(&world, &good(&[("scope", "write")])).await;
    let answer = answer(response.location());
    assert!(
        response
            .location()
            .starts_with("https://app.example/cb?code=")
    );
    assert_eq!(answer["code"], response.code());
    assert_eq!(answer["state"], "a state & more");
    assert_eq!(answer["iss"], ISSUER);

    let token = exchange(&world, "app", &redeem(response.code(), &[]))
        .await
        .unwrap();
    assert_eq!(token.subject(), Some("person-1"));
    assert_eq!(token.scope().to_string(), "write");
    assert!(token.refresh_token().is_some());

    // The code comes back: what it gave is dead.
    world.advance(30);
    let again = exchange(&world, "app", &redeem(response.code(), &[])).await;
    assert_refused(again, 400, InvalidGrant);
    assert!(!world.is_live(token.access_token()).await);
    let refreshed = world.refresh(token.refresh_token().unwrap()).await;
    assert_refused(refreshed, 400, InvalidGrant);
}

#[tokio::test]
async fn a_public_client_on_any_port() {
    let world = world();
    let redirect = ("redirect_uri", "http://127.0.0.1:4711/cb");
    let response = authorize(&world, &good(&[("client_id", "public"), redirect])).await;
    assert!(response.location().starts_with("http://127.0.0.1:4711/cb?"));
    let fields = redeem(response.code(), &[redirect, ("client_id", "public")]);
    let fields: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    world.server.token(&form(&fields)).await.unwrap();
}

#[tokio::test]
async fn what_does_not_fit_the_code() {
    let world = world();
    for change in [
        ("redirect_uri", "https://app.example/cb/"),
        ("redirect_uri", ""),
        ("code_verifier", ""),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX",
        ),
        ("code", "unknown"),
    ] {
        let code = code(&world).await;
        let refused = exchange(&world, "app", &redeem(&code, &[change])).await;
        assert_refused(refused, 400, InvalidGrant);
    }
    for malformed in ["short", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEj+k"] {
        let fields = redeem("any", &[("code_verifier", malformed)]);
        assert_refused(exchange(&world, "app", &fields).await, 400, InvalidRequest);
    }
    let code = code(&world).await;
    let stranger = exchange(&world, "other", &redeem(&code, &[])).await;
    assert_refused(stranger, 400, InvalidGrant);
    exchange(&world, "app", &redeem(&code, &[]))
        .await
        .expect("the owner still can");
}

#[tokio::test]
async fn a_wrong_verifier_ends_the_code() {
    let world = world();
    let code = code(&world).await;
    let wrong = (
        "code_verifier",
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX",
    );
    assert!(
        exchange(&world, "app", &redeem(&code, &[wrong]))
            .await
            .is_err()
    );
    assert_refused(
        exchange(&world, "app", &redeem(&code, &[])).await,
        400,
        InvalidGrant,
    );
}

#[tokio::test]
async fn a_code_lives_a_minute() {
    let world = world();
    let code = code(&world).await;
    world.advance(60);
    assert_refused(
        exchange(&world, "app", &redeem(&code, &[])).await,
        400,
        InvalidGrant,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_win_once() {
    let world = std::sync::Arc::new(world());
    let code = code(&world).await;
    let requests = (0..50).map(|_| {
        let (world, fields) = (world.clone(), redeem(&code, &[]));
        tokio::spawn(async move { exchange(&world, "app", &fields).await })
    });
    let mut won = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        won.extend(request.await.unwrap().ok());
    }
    assert_eq!(won.len(), 1);
    assert!(
        !world.is_live(won[0].access_token()).await,
        "the others gave it away"
    );
}

#[tokio::test]
async fn without_pkce_by_switch() {
    let world = world();
    let bare = [("code_challenge", ""), ("code_challenge_method", "")];
    let client = app("app").require_pkce(false).build().unwrap();
    world.clients.insert(client);
    let response = authorize(&world, &good(&bare)).await;
    let downgraded = exchange(&world, "app", &redeem(response.code(), &[])).await;
    assert_refused(downgraded, 400, InvalidGrant);
    let response = authorize(&world, &good(&bare)).await;
    let fields = redeem(response.code(), &[("code_verifier", "")]);
    exchange(&world, "app", &fields).await.unwrap();
}

#[tokio::test]
async fn faults_that_are_redirected() {
    let world = world();
    let cases: &[(&[(&str, &str)], ErrorCode)] = &[
        (&[("response_type", "")], InvalidRequest),
        (&[("response_type", "token")], UnsupportedResponseType),
        (&[("response_type", "code token")], UnsupportedResponseType),
        (&[("scope", "admin")], InvalidScope),
        (&[("scope", "a\nb")], InvalidScope),
        (&[("code_challenge", "")], InvalidRequest),
        (
            &[("code_challenge", ""), ("code_challenge_method", "")],
            InvalidRequest,
        ),
        (&[("code_challenge_method", "")], InvalidRequest),
        (&[("code_challenge_method", "plain")], InvalidRequest),
        (&[("code_challenge", "short")], InvalidRequest),
        (
            &[("resource", "https://a.example")],
            ErrorCode::InvalidTarget,
        ),
    ];
    for (changes, code) in cases {
        let error = world.server.preauthorize(&good(changes)).await.unwrap_err();
        let AuthorizeError::Redirect {
            location, error, ..
        } = error
        else {
            panic!("{changes:?}: {error:?}");
        };
        assert_eq!(error.code(), *code, "{changes:?}");
        let answer = answer(&location);
        assert!(
            location.starts_with("https://app.example/cb?error="),
            "{location}"
        );
        assert_eq!(answer["error"], code.as_str());
        assert_eq!(
            (answer["state"].as_str(), answer["iss"].as_str()),
            ("a state & more", ISSUER)
        );
    }
    let client = app("app")
        .grants([GrantType::ClientCredentials])
        .build()
        .unwrap();
    world.clients.insert(client);
    let error = world.server.preauthorize(&good(&[])).await.unwrap_err();
    assert_eq!(error.error().code(), UnauthorizedClient);
}

#[tokio::test]
async fn faults_that_are_not_redirected() {
    let world = world();
    for change in [
        ("client_id", "unknown"),
        ("client_id", ""),
        ("redirect_uri", "https://app.example/cb/"),
        ("redirect_uri", "https://app.example/CB"),
        ("redirect_uri", "https://app.example/cb?x"),
        ("redirect_uri", "https://app.example:443/cb"),
        ("redirect_uri", "https://app.example/x/../cb"),
        ("redirect_uri", "https://user@app.example/cb"),
        ("redirect_uri", "https://app.example.evil.example/cb"),
        ("redirect_uri", "https://app.example/cb#f"),
    ] {
        let error = world
            .server
            .preauthorize(&good(&[change]))
            .await
            .unwrap_err();
        assert!(matches!(error, AuthorizeError::Page(_)), "{change:?}");
        assert_eq!(error.error().status(), 400);
    }
    for twice in [
        "client_id=app",
        "redirect_uri=https%3A%2F%2Fapp.example%2Fcb",
    ] {
        let mut request = good(&[]);
        *request.uri_mut() = format!("{}&{twice}", request.uri()).parse().unwrap();
        let error = world.server.preauthorize(&request).await.unwrap_err();
        assert!(matches!(error, AuthorizeError::Page(_)), "{twice}");
    }
    let mut request = good(&[]);
    *request.uri_mut() = format!("{}&state=2", request.uri()).parse().unwrap();
    let error = world.server.preauthorize(&request).await.unwrap_err();
    let AuthorizeError::Redirect { location, .. } = error else {
        panic!("{error:?}");
    };
    assert!(
        !answer(&location).contains_key("state"),
        "which of the two?"
    );
}

#[tokio::test]
async fn denied_and_impossible_subjects() {
    let world = world();
    let request = world.server.preauthorize(&good(&[])).await.unwrap();
    assert_eq!(request.client().id(), "app");
    let AuthorizeError::Redirect { location, .. } = world.server.deny(&request) else {
        panic!("a denial is told to the client");
    };
    assert_eq!(answer(&location)["error"], "access_denied");
    let named_like_a_client = world.server.authorize(&request, "other").await.unwrap_err();
    assert_eq!(named_like_a_client.error().code(), AccessDenied);
}

#[tokio::test]
async fn a_sole_redirect_uri_need_not_be_named() {
    let world = world();
    let response = authorize(&world, &good(&[("redirect_uri", "")])).await;
    assert!(response.location().starts_with(CALLBACK));
    let fields = redeem(response.code(), &[("redirect_uri", "")]);
    exchange(&world, "app", &fields).await.unwrap();
}
