//! The client against a real socket: what is sent byte for byte, what is sent again, and what the
//! odd answers of each endpoint become.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use httpmock::{Method::POST, MockServer};
use oauth_core::{
    AccessToken, Call, Capability, Client, ClientAuthMethod, ClientBuilder, EndpointKind,
    Endpoints, ErrorCode, ErrorKind, GenericProvider, Recovery, RefreshToken, Replay,
    ReqwestTransport, RetryPolicy, ServerMetadata, Token, clock::ManualClock, grant,
    provider::Provider,
};
use serde_json::json;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn endpoints(base: &str) -> Endpoints {
    Endpoints::new(&format!("{base}/token"))
        .and_then(|endpoints| endpoints.with_revocation(&format!("{base}/revoke")))
        .and_then(|endpoints| endpoints.with_introspection(&format!("{base}/introspect")))
        .and_then(|endpoints| endpoints.with_device_authorization(&format!("{base}/device")))
        .and_then(|endpoints| endpoints.with_userinfo(&format!("{base}/userinfo")))
        .unwrap()
}

fn builder(base: &str, clock: &ManualClock) -> ClientBuilder {
    Client::builder(GenericProvider::new(endpoints(base)), "id")
        .client_secret("s&cret")
        .client_authentication(ClientAuthMethod::Post)
        .clock(Arc::new(clock.clone()))
}

fn token() -> serde_json::Value {
    json!({"access_token": "at", "token_type": "Bearer", "expires_in": 60})
}

#[tokio::test]
async fn each_grant_sends_exactly_its_parameters() {
    let server = MockServer::start_async().await;
    let client = builder(&server.base_url(), &ManualClock::at(NOW))
        .build()
        .unwrap();
    let code = grant::AuthorizationCode::new("c/1")
        .with_redirect_uri("http://localhost")
        .with_code_verifier("v");
    let refresh = grant::RefreshToken::new(RefreshToken::new("a+b/c=%d").unwrap());
    let grants: Vec<(Box<dyn grant::Grant>, &str)> = vec![
        (
            Box::new(grant::ClientCredentials::new().with_scopes("b a".parse().unwrap())),
            "grant_type=client_credentials&scope=a+b&client_id=id&client_secret=s%26cret",
        ),
        (
            Box::new(grant::Password::new("ü", "p w")),
            "grant_type=password&username=%C3%BC&password=p+w&client_id=id&client_secret=s%26cret",
        ),
        (
            Box::new(code),
            "grant_type=authorization_code&code=c%2F1&redirect_uri=http%3A%2F%2Flocalhost&code_verifier=v&client_id=id&client_secret=s%26cret",
        ),
        (
            Box::new(refresh),
            "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%25d&client_id=id&client_secret=s%26cret",
        ),
        (
            Box::new(grant::DeviceCode::new("d")),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d&client_id=id&client_secret=s%26cret",
        ),
        (
            Box::new(grant::Extension::new("urn:x").with_secret_param("assertion", "jwt")),
            "grant_type=urn%3Ax&assertion=jwt&client_id=id&client_secret=s%26cret",
        ),
    ];
    for (grant, body) in grants {
        let mock = server
            .mock_async(|when, then| {
                when.method(POST)
                    .path("/token")
                    .header("content-type", "application/x-www-form-urlencoded")
                    .header("accept", "application/json")
                    .header_missing("authorization")
                    .body(body);
                then.status(200).json_body(token());
            })
            .await;
        let token = client.exchange(&*grant).await.unwrap();
        assert_eq!(
            token.expires_at(),
            Some(NOW + Duration::from_secs(60)),
            "{body}"
        );
        mock.assert_async().await;
        mock.delete_async().await;
    }
}

#[tokio::test]
async fn basic_is_the_default_and_the_body_then_has_no_client() {
    let server = MockServer::start_async().await;
    let mock = server
        .mock_async(|when, then| {
            when.method(POST)
                .path("/token")
                .header("authorization", "Basic aWQ6cyUyNmNyZXQ=")
                .body("grant_type=client_credentials&audience=x");
            then.status(200).json_body(token());
        })
        .await;
    let client = builder(&server.base_url(), &ManualClock::at(NOW))
        .client_authentication(ClientAuthMethod::Basic)
        .build()
        .unwrap();
    client
        .exchange(&grant::ClientCredentials::new())
        .param("audience", "x")
        .await
        .unwrap();
    mock.assert_async().await;
}

#[tokio::test]
async fn what_is_sent_again_depends_on_the_grant() {
    let server = MockServer::start_async().await;
    let mock = server
        .mock_async(|when, then| {
            when.path("/token");
            then.status(503)
                .header("retry-after", "7")
                .header("x-request-id", "r-1");
        })
        .await;
    let clock = ManualClock::at(NOW);
    let client = builder(&server.base_url(), &clock).build().unwrap();

    let error = client
        .exchange(&grant::ClientCredentials::new())
        .await
        .unwrap_err();
    assert_eq!(mock.calls_async().await, 4);
    assert_eq!(clock.sleeps(), [Duration::from_secs(7); 3]);
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(
        error.recovery(),
        Recovery::Retry {
            after: Some(Duration::from_secs(7))
        }
    );
    assert_eq!(error.request_id(), Some("r-1"));

    let refresh = grant::RefreshToken::new(RefreshToken::new("rt").unwrap());
    let code = grant::AuthorizationCode::new("c");
    client.exchange(&refresh).await.unwrap_err();
    client.exchange(&code).await.unwrap_err();
    assert_eq!(
        mock.calls_async().await,
        6,
        "a refresh and a code are sent once"
    );

    let declared_safe = RetryPolicy::default().with_replay_refresh(true);
    client
        .exchange(&refresh)
        .retry(declared_safe.clone())
        .await
        .unwrap_err();
    client
        .exchange(&code)
        .retry(declared_safe)
        .await
        .unwrap_err();
    assert_eq!(
        mock.calls_async().await,
        11,
        "a refresh again where the server keeps it, a code never"
    );
}

#[tokio::test]
async fn a_refresh_is_repeated_when_nothing_was_sent_and_a_code_is_not() {
    // A port that was free a moment ago: nothing listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let clock = ManualClock::at(NOW);
    let client = builder(&format!("http://127.0.0.1:{port}"), &clock)
        .build()
        .unwrap();
    let error = client
        .exchange(&grant::RefreshToken::new(RefreshToken::new("rt").unwrap()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.nothing_sent() && error.is_transient());
    assert_eq!(clock.sleeps().len(), 3);
    client
        .exchange(&grant::AuthorizationCode::new("c"))
        .await
        .unwrap_err();
    assert_eq!(clock.sleeps().len(), 3);
}

#[tokio::test]
async fn revocation_introspection_and_userinfo() {
    let server = MockServer::start_async().await;
    let client = builder(&server.base_url(), &ManualClock::at(NOW))
        .build()
        .unwrap();
    let access_token = AccessToken::new("at").unwrap();
    let revoke = server
        .mock_async(|when, then| {
            when.method(POST)
                .path("/revoke")
                .body("token=at&token_type_hint=access_token&client_id=id&client_secret=s%26cret");
            then.status(200).body("whatever");
        })
        .await;
    client.revoke(&access_token).await.unwrap();
    revoke.assert_async().await;

    server
        .mock_async(|when, then| {
            when.method(POST)
                .path("/introspect")
                .body_includes("token=live");
            then.status(200)
                .json_body(json!({"active": true, "scope": "a b", "sub": "u", "exp": 60, "x": 1}));
        })
        .await;
    let live = client.introspect(&"live".into(), None).await.unwrap();
    assert!(live.is_active());
    assert_eq!(
        (
            live.subject(),
            live.scopes().unwrap().len(),
            &live.members()["x"]
        ),
        (Some("u"), 2, &json!(1))
    );
    assert_eq!(live.expires_at(), Some(NOW + Duration::from_secs(60)));
    server
        .mock_async(|when, then| {
            when.method(POST)
                .path("/introspect")
                .body_includes("token=dead");
            then.status(200)
                .json_body(json!({"active": false, "sub": "u"}));
        })
        .await;
    let dead = client.introspect(&"dead".into(), None).await.unwrap();
    assert!(!dead.is_active() && dead.subject().is_none());

    server
        .mock_async(|when, then| {
            when.path("/userinfo").header("authorization", "Bearer at");
            then.status(200)
                .json_body(json!({"sub": "u", "email": "e"}));
        })
        .await;
    assert_eq!(client.userinfo(&access_token).await.unwrap().subject(), "u");
    server
        .mock_async(|when, then| {
            when.path("/userinfo")
                .header("authorization", "Bearer gone");
            then.status(401)
                .header("www-authenticate", "Bearer error=\"invalid_token\"");
        })
        .await;
    let error = client
        .userinfo(&AccessToken::new("gone").unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidToken));
}

#[tokio::test]
async fn a_device_is_polled_at_the_servers_pace_and_not_for_ever() {
    let server = MockServer::start_async().await;
    server
        .mock_async(|when, then| {
            when.path("/device");
            then.status(200).json_body(json!({
                "device_code": "d", "user_code": "U-1", "verification_uri": "https://as.example/device",
                "expires_in": 30, "interval": 7
            }));
        })
        .await;
    let polls = server
        .mock_async(|when, then| {
            when.path("/token");
            then.status(400).json_body(json!({"error": "slow_down"}));
        })
        .await;
    let clock = ManualClock::at(NOW);
    let client = builder(&server.base_url(), &clock).build().unwrap();
    let device = client.device_authorization(None).await.unwrap();
    assert_eq!(device.user_code(), "U-1");
    let error = client.poll_device(&device).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::ExpiredToken));
    assert_eq!(
        clock.sleeps(),
        [7, 12].map(Duration::from_secs),
        "7 + 12 + 17 would pass 30"
    );
    assert_eq!(polls.calls_async().await, 2);
}

#[tokio::test]
async fn metadata_are_found_at_either_address_and_checked() {
    let server = MockServer::start_async().await;
    let issuer = server.url("/tenant");
    server
        .mock_async(|when, then| {
            when.path("/tenant/.well-known/openid-configuration");
            then.status(200).json_body(json!({
                "issuer": issuer, "token_endpoint": server.url("/token"), "revocation_endpoint": null,
                "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"],
            }));
        })
        .await;
    let transport = Arc::new(ReqwestTransport::new().unwrap());
    let metadata = ServerMetadata::discover(&issuer, transport.clone())
        .await
        .unwrap();
    let provider = GenericProvider::from_metadata(&metadata).unwrap();
    assert_eq!(provider.client_authentication(), ClientAuthMethod::Post);
    assert_eq!(provider.endpoints().issuer(), Some(issuer.as_str()));

    let first = server
        .mock_async(|when, then| {
            when.path("/.well-known/oauth-authorization-server/tenant");
            then.status(200).json_body(json!({"issuer": "https://evil.example", "token_endpoint": "https://evil.example/t"}));
        })
        .await;
    let error = ServerMetadata::discover(&issuer, transport)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    first.assert_async().await;
}

#[tokio::test]
async fn metadata_behind_a_page_for_everything_are_found_and_believed() {
    let server = MockServer::start_async().await;
    let issuer = server.base_url();
    server
        .mock_async(|when, then| {
            when.path("/.well-known/oauth-authorization-server");
            then.status(200)
                .header("content-type", "text/html")
                .body("<html>");
        })
        .await;
    server
        .mock_async(|when, then| {
            when.path("/.well-known/openid-configuration");
            then.status(200).json_body(json!({
                "issuer": issuer, "token_endpoint": server.url("/token"),
                "grant_types_supported": ["refresh_token"],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            }));
        })
        .await;
    let transport = Arc::new(ReqwestTransport::new().unwrap());
    let metadata = ServerMetadata::discover(&issuer, transport).await.unwrap();
    assert_eq!(metadata.client_authentication(), None);
    let provider = GenericProvider::from_metadata(&metadata).unwrap();
    let can = provider.capabilities();
    assert!(
        can.contains(Capability::RefreshToken) && !can.contains(Capability::Password),
        "{can:?}"
    );
    assert!(Client::builder(provider.clone(), "public").build().is_ok());
    assert!(
        Client::builder(provider, "id")
            .client_secret("s")
            .build()
            .is_err()
    );
}

#[tokio::test]
async fn slow_down_counts_under_any_status() {
    let server = MockServer::start_async().await;
    server
        .mock_async(|when, then| {
            when.path("/device");
            then.status(200).json_body(json!({
                "device_code": "d", "user_code": "U-1", "verification_uri": "https://as.example/device",
                "expires_in": 200, "interval": 60
            }));
        })
        .await;
    server
        .mock_async(|when, then| {
            when.path("/token");
            then.status(429).json_body(json!({"error": "slow_down"}));
        })
        .await;
    let clock = ManualClock::at(NOW);
    let client = builder(&server.base_url(), &clock).build().unwrap();
    let device = client.device_authorization(None).await.unwrap();
    client.poll_device(&device).await.unwrap_err();
    assert_eq!(clock.sleeps(), [60, 65, 70].map(Duration::from_secs));
}

#[tokio::test]
async fn nothing_is_sent_in_clear_to_another_machine() {
    let client = builder("http://127.0.0.1:9", &ManualClock::at(NOW))
        .build()
        .unwrap();
    let request = http::Request::get("http://service.example/x")
        .body(Default::default())
        .unwrap();
    let call = Call::new(EndpointKind::Other("api"), Replay::Always);
    let error = client.send(request, call).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[tokio::test]
async fn a_secret_parameter_is_masked_when_the_server_repeats_it() {
    let server = MockServer::start_async().await;
    server
        .mock_async(|when, then| {
            when.path("/token").body_includes("otp=99887766");
            then.status(400)
                .json_body(json!({"error": "invalid_grant", "error_description": "no 99887766"}));
        })
        .await;
    let client = builder(&server.base_url(), &ManualClock::at(NOW))
        .build()
        .unwrap();
    let error = client
        .exchange(&grant::Password::new("user", "password"))
        .secret_param("otp", "99887766")
        .await
        .unwrap_err();
    assert_eq!(error.oauth_error().unwrap().description(), Some("no ***"));
}

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method is not general enough over its lifetime"
)]
#[test]
fn a_client_that_follows_redirects_is_refused() {
    use reqwest::redirect::Policy;

    let with = |policy| {
        let client = reqwest::Client::builder().redirect(policy).build().unwrap();
        ReqwestTransport::from_client(client)
    };
    assert!(with(Policy::none()).is_ok());
    for policy in [
        Policy::default(),
        Policy::limited(1),
        Policy::custom(|attempt| attempt.follow()),
    ] {
        assert_eq!(with(policy).unwrap_err().kind(), ErrorKind::Usage);
    }
}
