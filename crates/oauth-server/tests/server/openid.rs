//! OpenID Connect: ID tokens, userinfo, discovery.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{InsufficientScope, InvalidToken};
use oauth_server::{
    Client, OsRandom, RfcApplication, SecretCost, SigningAlgorithm, SigningKey, SigningKeys,
    TokenResponse,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256, Sha512};
use tower_service::Service;

use crate::jws::verified;
use crate::support::{
    ALL_GRANTS, CALLBACK, ISSUER, SECRET, World, as_client, assert_refused, redemption, world_with,
};

const SCOPE: (&str, &str) = ("scope", "openid profile");

/// With the client `oidc`, which may ask for the scopes of OpenID Connect.
fn openid_world(algorithm: SigningAlgorithm) -> World {
    let key = SigningKey::generate(algorithm, &OsRandom).unwrap();
    let keys = SigningKeys::new([key]).unwrap();
    let world = world_with(|builder| {
        builder
            .signing_keys(keys)
            .authorization_endpoint(format!("{ISSUER}/authorize"))
    });
    let client = Client::builder("oidc")
        .secret(SECRET)
        .secret_cost(SecretCost::LOW)
        .grants(ALL_GRANTS)
        .redirect_uri(CALLBACK)
        .scopes(["openid", "profile", "email", "read"]);
    world.clients.insert(client.build().unwrap());
    let claims = json!({
        "name": "Ada", "email": "ada@example.com", "sub": "somebody else", "shoe_size": 38,
    });
    let claims: Map<_, _> = serde_json::from_value(claims).unwrap();
    world.owners.set_claims("person-1", claims);
    world
}

async fn tokens(world: &World, more: &[(&str, &str)]) -> TokenResponse {
    let code = world.code("oidc", more).await;
    let request = as_client("oidc", &redemption(&code));
    world.server.token(&request).await.unwrap()
}

fn claims(world: &World, token: &TokenResponse) -> Value {
    verified(token.id_token().expect("an ID token"), &world.server.jwks()).1
}

#[tokio::test]
async fn id_token() {
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::Rs256,
        SigningAlgorithm::EdDsa,
    ] {
        let world = openid_world(algorithm);
        let consented = world.now();
        let code = world.code("oidc", &[SCOPE, ("nonce", "n & 1")]).await;
        world.advance(10);
        let request = as_client("oidc", &redemption(&code));
        let token = world.server.token(&request).await.unwrap();
        let hash = match algorithm {
            SigningAlgorithm::EdDsa => Sha512::digest(token.access_token())[..32].to_vec(),
            _ => Sha256::digest(token.access_token())[..16].to_vec(),
        };
        let (header, _) = verified(token.id_token().unwrap(), &world.server.jwks());
        assert_eq!(
            (&header["alg"], &header["typ"]),
            (&json!(algorithm.as_str()), &json!("JWT"))
        );
        assert_eq!(
            claims(&world, &token),
            json!({
                "iss": ISSUER, "sub": "person-1", "aud": "oidc", "nonce": "n & 1",
                "iat": world.now(), "exp": world.now() + 3600, "auth_time": consented,
                "at_hash": BASE64_URL_SAFE_NO_PAD.encode(hash),
            })
        );
        let sent = serde_json::to_value(&token).unwrap();
        assert_eq!(sent["id_token"], token.id_token().unwrap());
        assert!(!format!("{token:?}").contains(token.id_token().unwrap()));
        let stored = format!("{} {}", world.tokens.dump(), world.codes.dump());
        assert!(!stored.contains(token.id_token().unwrap()));
    }
}

#[tokio::test]
async fn only_who_asks_for_openid_gets_one() {
    let world = openid_world(SigningAlgorithm::Es256);
    assert_eq!(tokens(&world, &[("scope", "read")]).await.id_token(), None);
    let token = world.token(&[("grant_type", "client_credentials")]).await;
    assert_eq!(token.unwrap().id_token(), None);
    let own = [("grant_type", "client_credentials"), ("scope", "openid")];
    let token = world.server.token(&as_client("oidc", &own)).await.unwrap();
    assert_eq!(token.id_token(), None, "nobody is behind it");

    // Without keys, openid is a scope like any other.
    let plain = world_with(|it| it);
    let client = Client::builder("oidc")
        .secret(SECRET)
        .secret_cost(SecretCost::LOW)
        .grants(ALL_GRANTS)
        .redirect_uri(CALLBACK)
        .scopes(["openid"]);
    plain.clients.insert(client.build().unwrap());
    assert_eq!(
        tokens(&plain, &[("scope", "openid")]).await.id_token(),
        None
    );
}

#[tokio::test]
async fn a_refreshed_one_tells_the_same_person_and_time() {
    let world = openid_world(SigningAlgorithm::Es256);
    let first = tokens(&world, &[SCOPE, ("nonce", "once")]).await;
    world.advance(100);
    let refresh = |scope| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", first.refresh_token().unwrap()),
            ("scope", scope),
        ];
        as_client("oidc", &fields)
    };
    let second = world.server.token(&refresh("openid")).await.unwrap();
    let (first, second) = (claims(&world, &first), claims(&world, &second));
    for same in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_eq!(second["iat"], world.now());
    assert_eq!(second.get("nonce"), None);
    assert_ne!(first["at_hash"], second["at_hash"]);
}

#[tokio::test]
async fn the_second_answer_of_a_grace_window_has_one_too() {
    let key = SigningKey::generate(SigningAlgorithm::Es256, &OsRandom).unwrap();
    let world = world_with(|it| {
        it.refresh_grace(Duration::from_secs(10))
            .signing_keys(SigningKeys::new([key]).unwrap())
    });
    let client = crate::support::app("app")
        .scopes(["openid"])
        .default_scopes(["openid"]);
    world.clients.insert(client.build().unwrap());
    let code = world.code("app", &[]).await;
    let first = world.token(&redemption(&code)).await.unwrap();
    let told = claims(&world, &first);
    let lost = world.refresh(first.refresh_token().unwrap()).await.unwrap();
    world.advance(5);
    let again = world.refresh(first.refresh_token().unwrap()).await.unwrap();
    assert_eq!(again.refresh_token(), lost.refresh_token());
    for name in ["sub", "auth_time", "iss", "aud"] {
        assert_eq!(claims(&world, &again)[name], told[name], "{name}");
    }
}

#[tokio::test]
async fn the_application_says_when_somebody_logged_in() {
    let world = openid_world(SigningAlgorithm::Es256);
    let request = Request::get(
        "/authorize?response_type=code&client_id=oidc&scope=openid\
         &code_challenge_method=S256&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    );
    let request = request.body(Bytes::new()).unwrap();
    let request = world.server.preauthorize(&request);
    let earlier = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let request = request.await.unwrap().authenticated_at(earlier);
    let consent = world.server.authorize(&request, "person-1").await.unwrap();
    let request = as_client("oidc", &redemption(consent.code()));
    let token = world.server.token(&request).await.unwrap();
    assert_eq!(claims(&world, &token)["auth_time"], 1_600_000_000);
}

fn asking(method: &str, token: &str) -> Request<Bytes> {
    let request = Request::builder().method(method).uri("/userinfo");
    let request = request.header("authorization", format!("Bearer {token}"));
    request.body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn userinfo_tells_what_the_scope_opens() {
    let world = openid_world(SigningAlgorithm::Es256);
    for (scope, told) in [
        ("openid", json!({ "sub": "person-1", "shoe_size": 38 })),
        (
            "openid profile",
            json!({ "sub": "person-1", "shoe_size": 38, "name": "Ada" }),
        ),
        (
            "openid email",
            json!({ "sub": "person-1", "shoe_size": 38, "email": "ada@example.com" }),
        ),
    ] {
        let token = tokens(&world, &[("scope", scope)]).await;
        for method in ["GET", "POST"] {
            let request = asking(method, token.access_token());
            let info = world.server.userinfo(&request).await.unwrap();
            assert_eq!(json!(info), told, "{method} {scope}");
            assert!(!format!("{info:?}").contains("person-1"));
        }
    }
}

#[tokio::test]
async fn userinfo_refuses_everybody_else() {
    let world = openid_world(SigningAlgorithm::Es256);
    let info = async |token: &str| world.server.userinfo(&asking("GET", token)).await;
    let read = tokens(&world, &[("scope", "read")]).await;
    let error = assert_refused(info(read.access_token()).await, 403, InsufficientScope);
    assert!(
        error.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Bearer ")
    );
    assert_refused(info("unknown").await, 401, InvalidToken);

    let own = [("grant_type", "client_credentials"), ("scope", "openid")];
    let own = world.server.token(&as_client("oidc", &own)).await.unwrap();
    assert_refused(info(own.access_token()).await, 401, InvalidToken);

    let token = tokens(&world, &[("scope", "openid")]).await;
    assert!(info(token.access_token()).await.is_ok());
    assert!(info(token.id_token().unwrap()).await.is_err());
    let put = world
        .server
        .userinfo(&asking("PUT", token.access_token()))
        .await;
    assert_eq!(put.unwrap_err().status(), 405);
    world.owners.remove("ada");
    assert_refused(info(token.access_token()).await, 401, InvalidToken);
}

#[tokio::test]
async fn discovery_is_true() {
    let world = openid_world(SigningAlgorithm::EdDsa);
    let mut router = world.server.clone().into_router(RfcApplication);
    let mut get = async |path: &str| {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = router.call(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 100_000)
            .await
            .unwrap();
        (
            status.as_u16(),
            serde_json::from_slice::<Value>(&body).unwrap_or_default(),
        )
    };
    let (status, metadata) = get("/.well-known/openid-configuration").await;
    assert_eq!((status, &metadata), (200, &world.server.metadata()));
    assert_eq!(
        get("/.well-known/oauth-authorization-server").await.1,
        metadata
    );
    let (_, jwks) = get("/jwks").await;
    assert_eq!(jwks["keys"][0]["crv"], "Ed25519");
    for (name, value) in [
        ("jwks_uri", json!("https://auth.example/jwks")),
        ("userinfo_endpoint", json!("https://auth.example/userinfo")),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(["EdDSA"])),
        (
            "dpop_signing_alg_values_supported",
            json!(["ES256", "RS256", "EdDSA"]),
        ),
        (
            "token_endpoint_auth_signing_alg_values_supported",
            json!(["ES256", "RS256", "EdDSA", "HS256"]),
        ),
        ("request_uri_parameter_supported", json!(false)),
    ] {
        assert_eq!(metadata[name], value, "{name}");
    }
    let methods = metadata["token_endpoint_auth_methods_supported"]
        .as_array()
        .unwrap();
    assert!(methods.contains(&json!("private_key_jwt")) && methods.contains(&json!("none")));
    assert_eq!(get("/userinfo").await.0, 401);

    // Without a key there is none of it.
    let plain = world_with(|it| it);
    let metadata = plain.server.metadata();
    for name in [
        "jwks_uri",
        "userinfo_endpoint",
        "id_token_signing_alg_values_supported",
    ] {
        assert_eq!(metadata.get(name), None, "{name}");
    }
    let mut router = plain.server.into_router(RfcApplication);
    for path in ["/jwks", "/userinfo", "/.well-known/openid-configuration"] {
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        assert_eq!(router.call(request).await.unwrap().status(), 404, "{path}");
    }
}
