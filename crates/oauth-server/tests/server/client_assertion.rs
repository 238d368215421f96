//! private_key_jwt and client_secret_jwt (RFC 7523).

use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{InvalidClient, InvalidRequest};
use oauth_server::{
    Client, ClientAuthenticationMethod, ClientBuilder, ContextError, FetchJwks, GrantType, Jwks,
    OAuthError, SecretCost, SigningAlgorithm, TokenResponse,
};
use serde_json::{Value, json};

use crate::jws::{Key, part, sign_with_secret, with};
use crate::support::{ISSUER, SECRET, World, assert_refused, form, with_basic, world, world_with};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const TYPE: (&str, &str) = (
    "client_assertion_type",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
);
const LONG_SECRET: &str = "a secret of at least thirty-two bytes";

fn jwks(keys: &[&Key]) -> Jwks {
    let keys: Vec<_> = keys
        .iter()
        .map(|it| with(&it.jwk(), "kid", json!(it.key.id())))
        .collect();
    Jwks::from_json(&json!({ "keys": keys })).unwrap()
}

fn register(world: &World, change: impl FnOnce(ClientBuilder) -> ClientBuilder) {
    let builder = Client::builder("signer")
        .grants([GrantType::ClientCredentials])
        .scopes(["read"]);
    world.clients.insert(change(builder).build().unwrap());
}

/// What is always right, each time with another `jti`.
fn claims(world: &World) -> Value {
    let jti = oauth_server::GeneratedSecret::generate().unwrap();
    json!({
        "iss": "signer", "sub": "signer", "aud": ISSUER, "jti": jti.expose(),
        "iat": world.now(), "exp": world.now() + 60,
    })
}

fn posted(assertion: &str) -> Request<Bytes> {
    form(&[GRANT, TYPE, ("client_assertion", assertion)])
}

async fn asked(world: &World, assertion: &str) -> Result<TokenResponse, OAuthError> {
    world.server.token(&posted(assertion)).await
}

#[tokio::test]
async fn good_ones_are_accepted() {
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::Rs256,
        SigningAlgorithm::EdDsa,
    ] {
        let (world, key, other) = (
            world(),
            Key::new(algorithm),
            Key::new(SigningAlgorithm::Es256),
        );
        register(&world, |client| client.jwks(jwks(&[&other, &key])));
        let header = json!({ "alg": algorithm.as_str() });
        for header in [header.clone(), with(&header, "kid", json!(key.key.id()))] {
            let token = asked(&world, &key.sign(&header, &claims(&world)))
                .await
                .unwrap();
            assert_eq!(token.client_id(), "signer");
        }
        let unknown = with(&header, "kid", json!("nobody's"));
        let refused = asked(&world, &key.sign(&unknown, &claims(&world))).await;
        assert_refused(refused, 400, InvalidClient);
    }
    let world = world();
    register(&world, |client| client.assertion_secret(LONG_SECRET));
    let header = json!({ "alg": "HS256" });
    let assertion = sign_with_secret(&header, &claims(&world), LONG_SECRET.as_bytes());
    asked(&world, &assertion).await.unwrap();
    let assertion = sign_with_secret(&header, &claims(&world), b"another secret");
    assert_refused(asked(&world, &assertion).await, 400, InvalidClient);
}

#[derive(Debug)]
struct Unreachable;

#[async_trait::async_trait]
impl FetchJwks for Unreachable {
    async fn fetch(&self, _: &str) -> Result<Bytes, ContextError> {
        Err(ContextError::new("nobody is there"))
    }
}

/// Only of a client that there is can its keys be out of reach.
#[tokio::test]
async fn keys_out_of_reach_tell_nobody_that_there_is_a_client() {
    let key = Key::new(SigningAlgorithm::Es256);
    let world = world_with(|it| {
        let throttled = it.throttle(5, std::time::Duration::from_secs(60));
        throttled.jwks_fetcher(std::sync::Arc::new(Unreachable))
    });
    register(&world, |client| client.jwks_uri("https://app.example/keys"));
    let mut answers = Vec::new();
    for id in ["signer", "nobody"] {
        let claims = with(&claims(&world), "iss", json!(id));
        let mut of_one = Vec::new();
        for _ in 0..6 {
            let assertion = key.sign(
                &json!({ "alg": "ES256", "kid": "1" }),
                &with(&claims, "sub", json!(id)),
            );
            let mut request = posted(&assertion);
            let source = oauth_server::Source([127, 0, 0, 1].into());
            request.extensions_mut().insert(source);
            of_one.push(world.server.token(&request).await.unwrap_err());
        }
        assert_eq!(of_one[0].code(), InvalidClient);
        assert_eq!(of_one[5].status(), 429, "{id}");
        answers.push(of_one);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn claims_are_judged() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    register(&world, |client| client.jwks(jwks(&[&key])));
    let now = world.now();
    let header = json!({ "alg": "ES256" });
    let bad: [(&str, Option<Value>); 28] = [
        ("exp", None),
        ("exp", Some(json!(now))),
        ("exp", Some(json!(now - 1))),
        ("exp", Some(json!(now + 24 * 3600))),
        ("exp", Some(json!("soon"))),
        ("exp", Some(json!(1e300))),
        ("exp", Some(json!(-1))),
        ("aud", None),
        ("aud", Some(json!("https://other.example"))),
        ("aud", Some(json!([ISSUER]))),
        ("aud", Some(json!([ISSUER, "https://other.example"]))),
        ("aud", Some(json!(format!("{ISSUER}/token")))),
        ("aud", Some(json!(format!("{ISSUER}/introspect")))),
        ("aud", Some(json!(format!("{ISSUER}/")))),
        ("iss", None),
        ("iss", Some(json!("other"))),
        ("iss", Some(json!(7))),
        ("sub", None),
        ("sub", Some(json!("other"))),
        ("sub", Some(json!(7))),
        ("sub", Some(json!("x".repeat(1000)))),
        ("jti", None),
        ("jti", Some(json!(""))),
        ("jti", Some(json!(7))),
        ("nbf", Some(json!(now + 60))),
        ("nbf", Some(json!("later"))),
        ("iat", Some(json!(now + 24 * 3600))),
        ("iat", Some(json!(null))),
    ];
    for (claim, value) in bad {
        let claims = with(&claims(&world), claim, value.clone());
        let refused = asked(&world, &key.sign(&header, &claims)).await;
        assert_eq!(
            refused.map_err(|error| error.code()).err(),
            Some(InvalidClient),
            "{claim} {value:?}"
        );
    }
    for (claim, value) in [
        ("nbf", Some(json!(now + 8))),
        ("iat", Some(json!(now + 8))),
        ("iat", None),
        ("exp", Some(json!(now as f64 + 0.5))),
        ("more", Some(json!({}))),
    ] {
        let claims = with(&claims(&world), claim, value.clone());
        asked(&world, &key.sign(&header, &claims))
            .await
            .expect(claim);
    }
}

#[tokio::test]
async fn the_token_endpoint_is_an_audience_by_switch() {
    let key = Key::new(SigningAlgorithm::Es256);
    let world = world_with(|builder| builder.token_endpoint_audience(true));
    register(&world, |client| client.jwks(jwks(&[&key])));
    for (audience, good) in [
        (json!(ISSUER), true),
        (json!("https://auth.example/token"), true),
        (json!("https://auth.example/revoke"), false),
    ] {
        let claims = with(&claims(&world), "aud", audience.clone());
        let assertion = key.sign(&json!({ "alg": "ES256" }), &claims);
        assert_eq!(asked(&world, &assertion).await.is_ok(), good, "{audience}");
    }
}

#[tokio::test]
async fn algorithms_are_the_clients_own() {
    let world = world();
    let (key, rsa) = (
        Key::new(SigningAlgorithm::Es256),
        Key::new(SigningAlgorithm::Rs256),
    );
    register(&world, |client| {
        client
            .jwks(jwks(&[&key, &rsa]))
            .assertion_algorithms([SigningAlgorithm::Es256])
    });
    let public = rsa.jwk();
    let claims = || claims(&world);
    let confused = json!({ "alg": "HS256" });
    for (what, assertion) in [
        (
            "none",
            format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims())),
        ),
        (
            "HS256",
            sign_with_secret(
                &confused,
                &claims(),
                public["n"].as_str().unwrap().as_bytes(),
            ),
        ),
        (
            "HS256 of the set",
            sign_with_secret(&confused, &claims(), public.to_string().as_bytes()),
        ),
        (
            "not allowed",
            rsa.sign(&json!({ "alg": "RS256" }), &claims()),
        ),
        (
            "another name",
            key.sign(&json!({ "alg": "RS256" }), &claims()),
        ),
        ("no name", key.sign(&json!({}), &claims())),
        ("unknown", key.sign(&json!({ "alg": "ES257" }), &claims())),
    ] {
        let refused = asked(&world, &assertion).await;
        assert!(refused.is_err(), "{what}");
        assert_refused(refused, 400, InvalidClient);
    }
    asked(&world, &key.sign(&json!({ "alg": "ES256" }), &claims()))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_malformed_is_refused() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    register(&world, |client| client.jwks(jwks(&[&key])));
    let header = json!({ "alg": "ES256" });
    let good = key.sign(&header, &claims(&world));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = message.split_once('.').unwrap();
    let other = Key::new(SigningAlgorithm::Es256).sign(&header, &claims(&world));
    let (_, other) = other.rsplit_once('.').unwrap();
    for bad in [
        "x",
        "..",
        "...",
        &good[..good.len() - 10],
        &format!("{message}.{other}"),
        &format!("{message}."),
        message,
        &format!("{good}.{signature}"),
        &format!("{message}.{signature}="),
        &format!("{head}=.{payload}.{signature}"),
        &format!("{}.{payload}.{signature}", part(&json!(null))),
        &format!("{}.{payload}.{signature}", part(&json!([]))),
        &format!("{head}.{}.{signature}", part(&json!("text"))),
        &key.sign(&header, &json!(["signer"])),
        &key.sign(&with(&header, "crit", json!(["exp"])), &claims(&world)),
        &key.sign(&with(&header, "crit", json!([])), &claims(&world)),
        &"a".repeat(60_000),
        &format!("{}.{payload}.{signature}", "[".repeat(20_000)),
    ] {
        let refused = asked(&world, bad).await;
        let shown = &bad[..bad.len().min(80)];
        let code = refused.map_err(|error| error.code()).err();
        assert!(
            matches!(code, Some(InvalidClient | InvalidRequest)),
            "{shown} {code:?}"
        );
    }
    asked(&world, &good).await.unwrap();
}

#[tokio::test]
async fn each_is_good_once() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    register(&world, |client| client.jwks(jwks(&[&key])));
    let header = json!({ "alg": "ES256" });
    for _ in 0..10 {
        let assertion = key.sign(&header, &claims(&world));
        let tries = (0..100).map(|_| {
            let (server, request) = (world.server.clone(), posted(&assertion));
            tokio::spawn(async move { server.token(&request).await })
        });
        let mut good = 0;
        for attempt in tries.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                Ok(_) => good += 1,
                Err(error) => assert_eq!(error.code(), InvalidClient),
            }
        }
        assert_eq!(good, 1);
    }
    // Another client's assertion may have the same id.
    let claims = claims(&world);
    asked(&world, &key.sign(&header, &claims)).await.unwrap();
    let builder = Client::builder("second").grants([GrantType::ClientCredentials]);
    world
        .clients
        .insert(builder.jwks(jwks(&[&key])).build().unwrap());
    let claims = with(
        &with(&claims, "iss", json!("second")),
        "sub",
        json!("second"),
    );
    asked(&world, &key.sign(&header, &claims)).await.unwrap();
}

#[tokio::test]
async fn the_request_around_it() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    register(&world, |client| {
        client
            .jwks(jwks(&[&key]))
            .secret(SECRET)
            .secret_cost(SecretCost::LOW)
    });
    let fresh = || key.sign(&json!({ "alg": "ES256" }), &claims(&world));
    let token = async |fields: &[(&str, &str)]| world.server.token(&form(fields)).await;
    let assertion = fresh();
    let assertion = ("client_assertion", assertion.as_str());
    for bad in [
        vec![GRANT, assertion],
        vec![GRANT, TYPE],
        vec![GRANT, assertion, ("client_assertion_type", "jwt")],
        vec![GRANT, TYPE, assertion, ("client_secret", SECRET)],
        vec![
            GRANT,
            TYPE,
            assertion,
            ("client_id", "signer"),
            ("client_secret", SECRET),
        ],
        vec![GRANT, TYPE, assertion, assertion],
    ] {
        assert_refused(token(&bad).await, 400, InvalidRequest);
    }
    let both = with_basic(posted(assertion.1), "signer:the+secret+of+this+client");
    assert_refused(world.server.token(&both).await, 400, InvalidRequest);
    let other = token(&[GRANT, TYPE, assertion, ("client_id", "app")]).await;
    assert_refused(other, 400, InvalidClient);
    token(&[GRANT, TYPE, assertion, ("client_id", "signer")])
        .await
        .unwrap();

    // As at every endpoint with clients.
    let (first, second) = (fresh(), fresh());
    let fields = |assertion| form(&[TYPE, ("client_assertion", assertion), ("token", "x")]);
    assert!(
        !world
            .server
            .introspect(&fields(&first))
            .await
            .unwrap()
            .is_active()
    );
    world.server.revoke(&fields(&second)).await.unwrap();
}

#[tokio::test]
async fn a_client_may_be_held_to_one_way() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    let held = |method| {
        register(&world, |client| {
            client
                .jwks(jwks(&[&key]))
                .assertion_secret(LONG_SECRET)
                .secret(LONG_SECRET)
                .secret_cost(SecretCost::LOW)
                .authentication_method(method)
        });
    };
    for (method, good) in [
        (
            ClientAuthenticationMethod::PrivateKeyJwt,
            [true, false, false],
        ),
        (
            ClientAuthenticationMethod::ClientSecretJwt,
            [false, true, false],
        ),
        (ClientAuthenticationMethod::Post, [false, false, true]),
    ] {
        held(method);
        let signed = posted(&key.sign(&json!({ "alg": "ES256" }), &claims(&world)));
        let header = json!({ "alg": "HS256" });
        let keyed = sign_with_secret(&header, &claims(&world), LONG_SECRET.as_bytes());
        let secret = [
            GRANT,
            ("client_id", "signer"),
            ("client_secret", LONG_SECRET),
        ];
        let mut got = Vec::new();
        for request in [signed, posted(&keyed), form(&secret)] {
            got.push(world.server.token(&request).await.is_ok());
        }
        assert_eq!(got, good, "{method:?}");
    }
}

#[tokio::test]
async fn registrations_that_cannot_work() {
    let key = Key::new(SigningAlgorithm::Es256);
    let client = || Client::builder("signer");
    assert!(client().jwks(jwks(&[&key])).build().is_ok());
    assert!(!client().jwks(jwks(&[&key])).build().unwrap().is_public());
    assert!(client().public().jwks(jwks(&[&key])).build().is_err());
    assert!(client().assertion_secret("short").build().is_err());
    assert!(client().build().is_err());
    let jwk = key.jwk();
    for bad in [
        json!({}),
        json!({ "keys": [] }),
        json!({ "keys": [with(&jwk, "d", json!("AAAA"))] }),
        json!({ "keys": [with(&jwk, "use", json!("enc"))] }),
        json!({ "keys": [with(&jwk, "alg", json!("RS256"))] }),
        json!({ "keys": [with(&jwk, "crv", json!("P-521"))] }),
        json!({ "keys": [with(&jwk, "x", json!("not base64url!"))] }),
        json!({ "keys": [jwk, { "kty": "oct", "k": "c2VjcmV0" }] }),
        json!({ "keys": vec![&jwk; 21] }),
    ] {
        assert!(Jwks::from_json(&bad).is_err(), "{bad}");
    }
    let secret = client().assertion_secret(LONG_SECRET).build().unwrap();
    assert!(!format!("{secret:?}").contains(LONG_SECRET));
}
