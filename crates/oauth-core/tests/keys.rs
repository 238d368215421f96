//! What needs keys, against a real socket: a login with its id token, the server's keys, and what
//! authenticates a client staying out of what an error shows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use httpmock::{Method::GET, Method::POST, MockServer};
use oauth_core::{
    AccessToken, Client, ClientBuilder, EndpointKind, Endpoints, ErrorKind, GenericProvider,
    Limits, PendingAuthorization, ReqwestTransport, RetryPolicy, ServerMetadata, SigningKey, Token,
    TokenSet, clock::ManualClock, grant::ClientCredentials, jose::Assertion, openid::Expected,
};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
const NOW: Duration = Duration::from_secs(1_767_225_600);

fn builder(base: &str) -> ClientBuilder {
    let endpoints = Endpoints::new(&format!("{base}/token"))
        .and_then(|endpoints| endpoints.with_authorization(&format!("{base}/authorize")))
        .and_then(|endpoints| endpoints.with_userinfo(&format!("{base}/userinfo")))
        .and_then(|endpoints| endpoints.with_jwks(&format!("{base}/jwks")))
        .unwrap()
        .with_issuer(base);
    Client::builder(GenericProvider::new(endpoints), "id")
        .clock(Arc::new(ManualClock::at(SystemTime::UNIX_EPOCH + NOW)))
        .retry(RetryPolicy::none())
}

fn jwks(key: &SigningKey) -> Value {
    json!({"keys": [{"kty": "oct", "k": "AAAA"}, key.public_jwk()]})
}

/// An id token for `client`, made as an assertion is: both are JWTs with the same claims.
fn id_token(client: &Client, key: &SigningKey, issuer: &str, nonce: Option<&str>) -> String {
    use oauth_core::secrecy::ExposeSecret;

    let mut token = Assertion::new(issuer, "a-user", "id");
    if let Some(nonce) = nonce {
        token = token.with_claim("nonce", nonce);
    }
    token.sign(key, client).unwrap().expose_secret().to_owned()
}

fn answer(id_token: String) -> TokenSet {
    let extra = json!({"id_token": id_token}).as_object().unwrap().clone();
    TokenSet::new(
        AccessToken::new("at").unwrap(),
        SystemTime::UNIX_EPOCH + NOW,
    )
    .with_extra(extra)
}

#[tokio::test]
async fn a_login_from_the_url_to_the_users_name() {
    let server = MockServer::start_async().await;
    let client = builder(&server.base_url()).build().unwrap();
    let key = SigningKey::generate().unwrap();
    let (url, pending) = client
        .authorization_request("http://localhost/callback")
        .scopes("openid profile".parse().unwrap())
        .build()
        .unwrap();
    let sent = |name: &str| {
        let found = url.query_pairs().find(|(have, _)| have == name);
        found.map(|(_, value)| value.into_owned()).unwrap()
    };
    // The session keeps it, across processes.
    let mut pending = PendingAuthorization::from_json(&pending.to_json()).unwrap();
    assert_eq!(pending.nonce(), Some(&*sent("nonce")));

    let signed = id_token(&client, &key, &server.base_url(), pending.nonce());
    let keys = server
        .mock_async(|when, then| {
            when.method(GET)
                .path("/jwks")
                .header("accept", "application/jwk-set+json, application/json")
                .header_missing("authorization");
            then.status(200).json_body(jwks(&key));
        })
        .await;
    server
        .mock_async(|when, then| {
            when.method(POST)
                .path("/token")
                .form_urlencoded_tuple("code", "c");
            then.status(200).json_body(
                json!({"access_token": "at", "token_type": "Bearer", "id_token": signed}),
            );
        })
        .await;
    server
        .mock_async(|when, then| {
            when.method(GET)
                .path("/userinfo")
                .header("authorization", "Bearer at");
            then.status(200)
                .json_body(json!({"sub": "a-user", "name": "Jane"}));
        })
        .await;

    let code = pending
        .accept(&format!("code=c&state={}", sent("state")))
        .unwrap();
    let token = client.exchange(&code).await.unwrap();
    let expected = Expected::of(&pending);
    let claims = client.verify_id_token(&token, &expected).await.unwrap();
    let userinfo = client.userinfo(token.access_token()).await.unwrap();
    let claims = claims.with_userinfo(&userinfo).unwrap();
    assert_eq!(
        (claims.subject(), claims.text("name")),
        ("a-user", Some("Jane"))
    );

    // Another browser's login, and one that forgets what it sent.
    for expected in [Expected::new(), Expected::new().with_nonce("another")] {
        let error = client.verify_id_token(&token, &expected).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }
    keys.assert_async().await;
}

#[tokio::test]
async fn keys_are_asked_for_once_by_all_and_within_the_clients_limits() {
    let server = MockServer::start_async().await;
    let client = builder(&server.base_url()).build().unwrap();
    let key = SigningKey::generate().unwrap();
    let token = answer(id_token(&client, &key, &server.base_url(), None));
    let mut large = jwks(&key);
    large["more"] = "x".repeat(2000).into();
    let mock = server
        .mock_async(|when, then| {
            when.method(GET).path("/jwks");
            then.status(200)
                .json_body(large)
                .delay(Duration::from_millis(50));
        })
        .await;
    let expected = Expected::new();
    let verify = || client.verify_id_token(&token, &expected);
    let (a, b, c, d) = tokio::join!(verify(), verify(), verify(), verify());
    assert!([a, b, c, d].iter().all(Result::is_ok));
    assert_eq!(mock.calls_async().await, 1);

    let small = builder(&server.base_url())
        .limits(Limits::default().with_body(1000))
        .build()
        .unwrap();
    let error = small.verify_id_token(&token, &expected).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.endpoint()),
        (ErrorKind::Protocol, Some(EndpointKind::Jwks))
    );
    // Without keys, one who comes right after is told so and does not ask again.
    let again = small.verify_id_token(&token, &expected).await.unwrap_err();
    assert!(again.is_transient(), "{again}");
    assert_eq!(mock.calls_async().await, 2);
}

#[tokio::test]
async fn a_jwt_that_authenticates_is_masked_when_the_server_repeats_it() {
    let server = MockServer::start_async().await;
    server
        .mock_async(|when, then| {
            when.method(POST).path("/token");
            then.respond_with(|request: &httpmock::HttpMockRequest| {
                let body = String::from_utf8_lossy(request.body_ref()).into_owned();
                let jwt = body.split("client_assertion=").nth(1).unwrap();
                httpmock::HttpMockResponse::builder()
                    .status(400)
                    .body(json!({"error": "invalid_client", "error_description": jwt}).to_string())
                    .build()
            });
        })
        .await;
    let client = builder(&server.base_url())
        .client_key(SigningKey::generate().unwrap())
        .build()
        .unwrap();
    let error = client
        .exchange(&ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "token endpoint: invalid_client: *** (status 400)"
    );
    let shown = format!("{error:?} {client:?}");
    assert!(!shown.contains("eyJhbGci"), "{shown}");
}

#[tokio::test]
async fn a_server_that_wants_requests_pushed_gets_no_other() {
    let server = MockServer::start_async().await;
    let base = server.base_url();
    server
        .mock_async(|when, then| {
            when.path("/.well-known/oauth-authorization-server");
            then.status(200).json_body(json!({
                "issuer": base,
                "token_endpoint": format!("{base}/token"),
                "authorization_endpoint": format!("{base}/authorize?tenant=a"),
                "pushed_authorization_request_endpoint": format!("{base}/par"),
                "require_pushed_authorization_requests": true,
                "jwks_uri": format!("{base}/jwks"),
                "dpop_signing_alg_values_supported": ["ES256"],
            }));
        })
        .await;
    let pushed = server
        .mock_async(|when, then| {
            when.method(POST)
                .path("/par")
                .form_urlencoded_tuple("client_id", "id")
                .form_urlencoded_tuple("response_type", "code")
                .form_urlencoded_tuple_exists("dpop_jkt");
            then.status(201)
                .json_body(json!({"request_uri": "urn:x:1", "expires_in": 90}));
        })
        .await;
    let transport = Arc::new(ReqwestTransport::new().unwrap());
    let metadata = ServerMetadata::discover(&base, transport).await.unwrap();
    let client = Client::builder(GenericProvider::from_metadata(&metadata).unwrap(), "id")
        .dpop(SigningKey::generate().unwrap())
        .build()
        .unwrap();
    let begin = || client.authorization_request("http://localhost");
    assert_eq!(begin().build().unwrap_err().kind(), ErrorKind::Usage);
    let (url, pending) = begin().push().await.unwrap();
    assert_eq!(
        url.as_str(),
        format!("{base}/authorize?tenant=a&client_id=id&request_uri=urn%3Ax%3A1")
    );
    assert!(pending.request_ends_at().is_some());
    pushed.assert_async().await;
    assert!(client.id_token_verifier().is_ok());
}
