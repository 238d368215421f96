//! Proofs of possession (RFC 9449).

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Request;
use oauth_server::ErrorCode::{InvalidDpopProof, InvalidGrant, InvalidToken, UseDpopNonce};
use oauth_server::{
    OAuthError, ProtectedResource, SigningAlgorithm, TokenResponse, memory::MemoryJwtIds,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::jws::{Key, part, sign_with_secret, with};
use crate::support::{
    SECRET, World, app, as_client, assert_refused, form, redemption, world, world_with,
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const TOKEN: &str = "https://auth.example/token";
const API: &str = "https://api.example/reports";

fn header(key: &Key) -> Value {
    json!({ "typ": "dpop+jwt", "alg": key.key.algorithm().as_str(), "jwk": key.jwk() })
}

/// What is always right, each time with another `jti`.
fn claims(world: &World, method: &str, url: &str) -> Value {
    let jti = oauth_server::GeneratedSecret::generate().unwrap();
    json!({ "jti": jti.expose(), "htm": method, "htu": url, "iat": world.now() })
}

fn proof(world: &World, key: &Key) -> String {
    key.sign(&header(key), &claims(world, "POST", TOKEN))
}

fn proved(mut request: Request<Bytes>, proof: &str) -> Request<Bytes> {
    request.headers_mut().append("dpop", proof.parse().unwrap());
    request
}

async fn asked(world: &World, proof: &str) -> Result<TokenResponse, OAuthError> {
    world
        .server
        .token(&proved(as_client("app", &[GRANT]), proof))
        .await
}

async fn introspected(world: &World, token: &str) -> Value {
    let asked = as_client("resource", &[("token", token)]);
    json!(world.server.introspect(&asked).await.unwrap())
}

#[tokio::test]
async fn a_good_proof_binds_the_token() {
    let world = world();
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::Rs256,
        SigningAlgorithm::EdDsa,
    ] {
        let key = Key::new(algorithm);
        let token = asked(&world, &proof(&world, &key)).await.unwrap();
        assert_eq!(token.token_type(), "DPoP");
        assert_eq!(json!(token)["token_type"], "DPoP");
        let seen = introspected(&world, token.access_token()).await;
        assert_eq!(seen["token_type"], "DPoP");
        assert_eq!(seen["cnf"], json!({ "jkt": key.key.id() }));
    }
    let token = world.token(&[GRANT]).await.unwrap();
    let seen = introspected(&world, token.access_token()).await;
    assert_eq!(
        (&seen["token_type"], seen.get("cnf")),
        (&json!("Bearer"), None)
    );
}

#[tokio::test]
async fn proofs_are_judged() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    let good = header(&key);
    let claims = || claims(&world, "POST", TOKEN);
    let private = with(&key.jwk(), "d", json!("AAAA"));
    let symmetric = json!({ "kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0" });
    let of_another = Key::new(SigningAlgorithm::Es256);
    let mut bad = vec![
        ("no JWT".to_owned(), "proof".to_owned()),
        (
            "none".to_owned(),
            format!(
                "{}.{}.",
                part(&with(&good, "alg", json!("none"))),
                part(&claims())
            ),
        ),
        (
            "HS256".to_owned(),
            sign_with_secret(&with(&good, "alg", json!("HS256")), &claims(), b"x"),
        ),
        (
            "a symmetric key".to_owned(),
            sign_with_secret(
                &json!({ "typ": "dpop+jwt", "alg": "HS256", "jwk": symmetric }),
                &claims(),
                b"secretsecretsecretsecret",
            ),
        ),
        (
            "another signature".to_owned(),
            of_another.sign(&good, &claims()),
        ),
    ];
    for (name, value) in [
        ("typ", None),
        ("typ", Some(json!("JWT"))),
        ("alg", None),
        ("alg", Some(json!("ES384"))),
        ("alg", Some(json!("RS256"))),
        ("jwk", None),
        ("jwk", Some(private)),
        ("jwk", Some(json!("key"))),
        ("jwk", Some(with(&key.jwk(), "x", json!("\"")))),
        ("crit", Some(json!(["jwk"]))),
    ] {
        let made = key.sign(&with(&good, name, value.clone()), &claims());
        bad.push((format!("{name} {value:?}"), made));
    }
    let now = world.now();
    for (name, value) in [
        ("jti", None),
        ("jti", Some(json!(""))),
        ("jti", Some(json!(7))),
        ("htm", None),
        ("htm", Some(json!("GET"))),
        ("htm", Some(json!("post"))),
        ("htu", None),
        ("htu", Some(json!("/token"))),
        ("htu", Some(json!("https://auth.example/introspect"))),
        ("htu", Some(json!("https://evil.example/token"))),
        ("iat", None),
        ("iat", Some(json!("now"))),
        ("iat", Some(json!(now - 3600))),
        ("iat", Some(json!(now + 3600))),
        ("iat", Some(json!(now - 60))),
        ("iat", Some(json!(now + 60))),
    ] {
        let made = key.sign(&good, &with(&claims(), name, value.clone()));
        bad.push((format!("{name} {value:?}"), made));
    }
    for (what, proof) in bad {
        let refused = asked(&world, &proof).await;
        let code = refused.as_ref().map_err(OAuthError::code).err();
        assert_eq!(code, Some(InvalidDpopProof), "{what}");
        assert_refused(refused, 400, InvalidDpopProof);
    }
    let two = proved(as_client("app", &[GRANT]), &proof(&world, &key));
    let two = proved(two, &proof(&world, &key));
    assert_refused(world.server.token(&two).await, 400, InvalidDpopProof);

    for (name, value) in [
        ("iat", json!(now - 10)),
        ("iat", json!(now + 10)),
        ("htu", json!("https://auth.example/token?a=b#c")),
        ("htu", json!("https://AUTH.EXAMPLE:443/token")),
        ("ath", json!("of no concern here")),
        ("nonce", json!("that nobody asked for")),
    ] {
        let made = key.sign(&good, &with(&claims(), name, value));
        asked(&world, &made).await.expect(name);
    }
}

#[tokio::test]
async fn a_proof_is_good_once() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::EdDsa));
    for _ in 0..10 {
        let proof = proof(&world, &key);
        let tries = (0..100).map(|_| {
            let server = world.server.clone();
            let request = proved(as_client("app", &[GRANT]), &proof);
            tokio::spawn(async move { server.token(&request).await })
        });
        let mut good = 0;
        for attempt in tries.collect::<Vec<_>>() {
            match attempt.await.unwrap() {
                Ok(_) => good += 1,
                Err(error) => assert_eq!(error.code(), InvalidDpopProof),
            }
        }
        assert_eq!(good, 1);
    }
    // As long as its time is accepted, which for one from the future is twice as long.
    let claims = with(
        &claims(&world, "POST", TOKEN),
        "iat",
        json!(world.now() + 59),
    );
    let proof = key.sign(&header(&key), &claims);
    asked(&world, &proof).await.unwrap();
    for _ in 0..2 {
        world.advance(59);
        assert_refused(asked(&world, &proof).await, 400, InvalidDpopProof);
    }
}

#[tokio::test]
async fn a_replay_is_seen_by_every_server_with_the_same_context() {
    let ids = Arc::new(MemoryJwtIds::new());
    let one = world_with(|builder| builder.jwt_ids(ids.clone()));
    let other = world_with(|builder| builder.jwt_ids(ids.clone()));
    let proof = proof(&one, &Key::new(SigningAlgorithm::Es256));
    asked(&one, &proof).await.unwrap();
    assert_refused(asked(&other, &proof).await, 400, InvalidDpopProof);
}

#[tokio::test]
async fn a_nonce_is_wanted_where_it_is_switched_on() {
    let key = Key::new(SigningAlgorithm::Es256);
    let every = world_with(|builder| builder.require_dpop_nonce(true));
    let one = world();
    let client = app("app").require_dpop_nonce(true).build().unwrap();
    one.clients.insert(client);
    for world in [every, one] {
        let with_nonce = |nonce: Option<&str>, iat: u64| {
            let claims = with(&claims(&world, "POST", TOKEN), "iat", json!(iat));
            key.sign(
                &header(&key),
                &with(&claims, "nonce", nonce.map(Value::from)),
            )
        };
        let wanted = async |proof: &str| {
            let error = assert_refused(asked(&world, proof).await, 400, UseDpopNonce);
            error.headers()["dpop-nonce"].to_str().unwrap().to_owned()
        };
        let nonce = wanted(&with_nonce(None, world.now())).await;
        let token = asked(&world, &with_nonce(Some(&nonce), world.now()))
            .await
            .unwrap();
        assert_eq!(token.token_type(), "DPoP");
        // The nonce rules, whatever the client's clock says.
        asked(&world, &with_nonce(Some(&nonce), world.now() - 3600))
            .await
            .unwrap();
        let other = if &nonce[20..21] == "A" { "B" } else { "A" };
        let forged = format!("{}{other}{}", &nonce[..20], &nonce[21..]);
        for bad in ["", "made up", &forged, &nonce[1..]] {
            wanted(&with_nonce(Some(bad), world.now())).await;
        }
        world.advance(300);
        let fresh = wanted(&with_nonce(Some(&nonce), world.now())).await;
        assert_ne!(fresh, nonce);
        asked(&world, &with_nonce(Some(&fresh), world.now()))
            .await
            .unwrap();
    }
    let world = world();
    let client = app("app").require_dpop_nonce(true).build().unwrap();
    world.clients.insert(client);
    let request = proved(as_client("other", &[GRANT]), &proof(&world, &key));
    world
        .server
        .token(&request)
        .await
        .expect("others need none");
}

#[tokio::test]
async fn some_clients_get_no_bearer_tokens() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    let client = app("app").dpop_bound_access_tokens(true).build().unwrap();
    world.clients.insert(client);
    assert_refused(world.token(&[GRANT]).await, 400, InvalidDpopProof);
    asked(&world, &proof(&world, &key)).await.unwrap();
}

/// The public client's request.
async fn public(
    world: &World,
    fields: &[(&str, &str)],
    key: Option<&Key>,
) -> Result<TokenResponse, OAuthError> {
    let fields = [fields, &[("client_id", "public")]].concat();
    let request = match key {
        Some(key) => proved(form(&fields), &proof(world, key)),
        None => form(&fields),
    };
    world.server.token(&request).await
}

#[tokio::test]
async fn refresh_tokens_of_public_clients_are_bound() {
    let world = world();
    let (key, other) = (
        Key::new(SigningAlgorithm::Es256),
        Key::new(SigningAlgorithm::Es256),
    );
    let code = world.code("public", &[]).await;
    let mut token = public(&world, &redemption(&code), Some(&key))
        .await
        .unwrap();
    for _ in 0..2 {
        let refresh = token.refresh_token().unwrap().to_owned();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh)];
        for wrong in [None, Some(&other)] {
            assert_refused(public(&world, &fields, wrong).await, 400, InvalidGrant);
        }
        token = public(&world, &fields, Some(&key))
            .await
            .expect("it is not consumed");
        assert_eq!(token.token_type(), "DPoP");
    }

    // A confidential client is known by its secret; it may change its key.
    let fields = [
        ("grant_type", "password"),
        ("username", "ada"),
        ("password", "her pass phrase"),
    ];
    let request = proved(as_client("app", &fields), &proof(&world, &key));
    let token = world.server.token(&request).await.unwrap();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", token.refresh_token().unwrap()),
    ];
    let request = proved(as_client("app", &fields), &proof(&world, &other));
    let token = world.server.token(&request).await.unwrap();
    let seen = introspected(&world, token.access_token()).await;
    assert_eq!(seen["cnf"]["jkt"], other.key.id());
}

#[tokio::test]
async fn the_grace_window_is_for_the_holder_of_the_key() {
    let world = world_with(|it| it.refresh_grace(Duration::from_secs(10)));
    let (key, other) = (
        Key::new(SigningAlgorithm::Es256),
        Key::new(SigningAlgorithm::Es256),
    );
    let code = world.code("public", &[]).await;
    let first = public(&world, &redemption(&code), Some(&key)).await;
    let first = first.unwrap().refresh_token().unwrap().to_owned();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &first)];
    let lost = public(&world, &fields, Some(&key)).await.unwrap();
    for wrong in [None, Some(&other)] {
        assert_refused(public(&world, &fields, wrong).await, 400, InvalidGrant);
    }
    let again = public(&world, &fields, Some(&key)).await.unwrap();
    assert_eq!(again.token_type(), "DPoP");
    assert_eq!(again.refresh_token(), lost.refresh_token());
    let next = again.refresh_token().unwrap();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", next)];
    let stolen = public(&world, &fields, Some(&other)).await;
    assert_refused(stolen, 400, InvalidGrant);
    public(&world, &fields, Some(&key)).await.unwrap();
}

#[tokio::test]
async fn a_proof_with_a_pushed_request_binds_the_code() {
    let world = world();
    let (key, other) = (
        Key::new(SigningAlgorithm::Es256),
        Key::new(SigningAlgorithm::Es256),
    );
    let push = async |more: &[(&str, &str)], signer: &Key, url| {
        let mut fields = vec![
            ("client_id", "public"),
            ("response_type", "code"),
            ("code_challenge_method", "S256"),
            ("code_challenge", crate::support::CHALLENGE),
        ];
        fields.extend(more);
        let proof = signer.sign(&header(signer), &claims(&world, "POST", url));
        let request = proved(form(&fields), &proof);
        world.server.pushed_authorization(&request).await
    };
    let par = "https://auth.example/par";
    assert_refused(push(&[], &key, TOKEN).await, 400, InvalidDpopProof);
    let another = [("dpop_jkt", other.key.id())];
    assert_refused(push(&another, &key, par).await, 400, InvalidDpopProof);
    for more in [vec![], vec![("dpop_jkt", key.key.id())]] {
        let pushed = push(&more, &key, par).await.unwrap();
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", "public")
            .append_pair("request_uri", pushed.request_uri())
            .finish();
        let request = Request::get(format!("/authorize?{query}"));
        let request = request.body(Bytes::new()).unwrap();
        let request = world.server.preauthorize(&request).await.unwrap();
        let answer = world.server.authorize(&request, "person-1").await.unwrap();
        let fields = redemption(answer.code());
        let stolen = public(&world, &fields, Some(&other)).await;
        assert_refused(stolen, 400, InvalidGrant);
        let token = public(&world, &fields, Some(&key)).await.unwrap();
        assert_eq!(token.token_type(), "DPoP");
    }
}

#[tokio::test]
async fn a_code_may_be_bound_to_a_key() {
    let world = world();
    let (key, other) = (
        Key::new(SigningAlgorithm::Es256),
        Key::new(SigningAlgorithm::Es256),
    );
    let code = world.code("public", &[("dpop_jkt", key.key.id())]).await;
    for wrong in [None, Some(&other)] {
        let refused = public(&world, &redemption(&code), wrong).await;
        assert_refused(refused, 400, InvalidGrant);
    }
    public(&world, &redemption(&code), Some(&key))
        .await
        .expect("the code is not consumed");

    let request = Request::get(
        "/authorize?response_type=code&client_id=public&code_challenge_method=S256\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&dpop_jkt=short",
    );
    let request = request.body(Bytes::new()).unwrap();
    let refused = world.server.preauthorize(&request).await.unwrap_err();
    assert_eq!(refused.error().error(), "invalid_request");
}

#[tokio::test]
async fn a_bound_token_needs_its_key_at_resources() {
    let world = world();
    let (key, other) = (
        Key::new(SigningAlgorithm::Es256),
        Key::new(SigningAlgorithm::Es256),
    );
    let token = asked(&world, &proof(&world, &key)).await.unwrap();
    let bearer = world.token(&[GRANT]).await.unwrap();
    let ath = |token: &str| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(token));
    let at_api = |scheme: &str, token: &str, proof: Option<String>| {
        let request = Request::get("/reports").header("authorization", format!("{scheme} {token}"));
        let request = request.body(Bytes::new()).unwrap();
        match proof {
            Some(proof) => proved(request, &proof),
            None => request,
        }
    };
    let resource = ProtectedResource::new(API);
    let access = async |request| world.server.authorize_access(&request, &resource).await;
    let proof = |key: &Key, ath: Option<String>| {
        let claims = with(&claims(&world, "GET", API), "ath", ath.map(Value::from));
        key.sign(&header(key), &claims)
    };
    let bound = token.access_token();
    let good = || proof(&key, Some(ath(bound)));
    let record = access(at_api("DPoP", bound, Some(good()))).await.unwrap();
    assert_eq!(record.jkt.as_deref(), Some(key.key.id()));
    access(at_api("dpop", bound, Some(good()))).await.unwrap();

    for (request, code) in [
        (at_api("Bearer", bound, None), InvalidToken),
        (at_api("Bearer", bound, Some(good())), InvalidToken),
        (at_api("DPoP", bound, None), InvalidDpopProof),
        (
            at_api("DPoP", bound, Some(proof(&other, Some(ath(bound))))),
            InvalidToken,
        ),
        (
            at_api("DPoP", bound, Some(proof(&key, None))),
            InvalidDpopProof,
        ),
        (
            at_api("DPoP", bound, Some(proof(&key, Some(ath("other"))))),
            InvalidDpopProof,
        ),
        (at_api("DPoP", "unknown", Some(good())), InvalidToken),
        (
            at_api(
                "DPoP",
                bearer.access_token(),
                Some(proof(&key, Some(ath(bearer.access_token())))),
            ),
            InvalidToken,
        ),
    ] {
        let error = assert_refused(access(request).await, 401, code);
        assert!(error.headers().contains_key("www-authenticate"));
    }
    let used = good();
    access(at_api("DPoP", bound, Some(used.clone())))
        .await
        .unwrap();
    let error = assert_refused(
        access(at_api("DPoP", bound, Some(used))).await,
        401,
        InvalidDpopProof,
    );
    let challenge = error.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        challenge.starts_with("DPoP error=\"invalid_dpop_proof\""),
        "{challenge}"
    );
    assert!(
        challenge.ends_with("algs=\"ES256 RS256 EdDSA\""),
        "{challenge}"
    );

    let client = app("app").require_dpop_nonce(true).build().unwrap();
    world.clients.insert(client);
    let error = assert_refused(
        access(at_api("DPoP", bound, Some(good()))).await,
        401,
        UseDpopNonce,
    );
    let nonce = error.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let claims = with(&claims(&world, "GET", API), "ath", json!(ath(bound)));
    let proof = key.sign(&header(&key), &with(&claims, "nonce", json!(nonce)));
    access(at_api("DPoP", bound, Some(proof))).await.unwrap();
}

#[tokio::test]
async fn authentication_comes_first() {
    let (world, key) = (world(), Key::new(SigningAlgorithm::Es256));
    let proof = proof(&world, &key);
    let wrong = [GRANT, ("client_id", "app"), ("client_secret", "wrong")];
    assert!(
        world
            .server
            .token(&proved(form(&wrong), &proof))
            .await
            .is_err()
    );
    let right = [GRANT, ("client_id", "app"), ("client_secret", SECRET)];
    world
        .server
        .token(&proved(form(&right), &proof))
        .await
        .expect("the proof is unused");
}

/// Each proof is remembered, and a public client's id is no secret.
#[tokio::test]
async fn one_source_does_not_fill_the_memory_of_proofs_of_a_public_client() {
    let world = world_with(|it| it.public_throttle(1, Duration::from_secs(60)));
    let key = Key::new(SigningAlgorithm::Es256);
    let guess = async |host: u8| {
        let fields = [
            ("client_id", "public"),
            ("grant_type", "refresh_token"),
            ("refresh_token", "guess"),
        ];
        let mut request = proved(form(&fields), &proof(&world, &key));
        let source = oauth_server::Source([127, 0, 0, host].into());
        request.extensions_mut().insert(source);
        world.server.token(&request).await
    };
    for _ in 0..10 {
        assert_refused(guess(1).await, 400, InvalidGrant);
    }
    let limited = oauth_server::ErrorCode::TemporarilyUnavailable;
    assert_refused(guess(1).await, 429, limited);
    assert_refused(guess(2).await, 400, InvalidGrant);
}
