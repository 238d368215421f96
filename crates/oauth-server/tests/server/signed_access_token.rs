//! Access tokens as JWTs (RFC 9068), and the keys behind them.

use oauth_server::{
    AuthorizationServer, ErrorCode::TemporarilyUnavailable, OsRandom, SigningAlgorithm, SigningKey,
    SigningKeys,
};
use serde_json::json;

use crate::jws::verified;
use crate::support::{
    ISSUER, SECRET, World, app, as_client, assert_refused, form, world, world_with,
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

fn key(algorithm: SigningAlgorithm) -> SigningKey {
    SigningKey::generate(algorithm, &OsRandom).unwrap()
}

fn jwt_world(keys: &SigningKeys) -> World {
    world_with(|builder| {
        builder
            .signing_keys(keys.clone())
            .jwt_access_tokens(true)
            .resources(["https://api.example"])
    })
}

#[tokio::test]
async fn members() {
    for algorithm in [
        SigningAlgorithm::Es256,
        SigningAlgorithm::Rs256,
        SigningAlgorithm::EdDsa,
    ] {
        let world = jwt_world(&SigningKeys::new([key(algorithm)]).unwrap());
        let token = world
            .token(&[GRANT, ("scope", "read write")])
            .await
            .unwrap();
        let (header, claims) = verified(token.access_token(), &world.server.jwks());
        assert_eq!(header["typ"], "at+jwt");
        assert_eq!(header["alg"], algorithm.as_str());
        let jti = claims["jti"].as_str().unwrap();
        assert_eq!(
            claims,
            json!({
                "iss": ISSUER, "sub": "app", "aud": ISSUER, "client_id": "app", "jti": jti,
                "iat": world.now(), "exp": world.now() + 3600, "scope": "read write",
            })
        );
        let resource = ("resource", "https://api.example");
        let other = world.token(&[GRANT, resource]).await.unwrap();
        let (_, other) = verified(other.access_token(), &world.server.jwks());
        assert_eq!(other["aud"], "https://api.example");
        assert_ne!(other["jti"], jti);
    }
}

#[tokio::test]
async fn a_person_is_its_subject() {
    let world = jwt_world(&SigningKeys::new([key(SigningAlgorithm::Es256)]).unwrap());
    let token = world.login().await;
    let (_, claims) = verified(token.access_token(), &world.server.jwks());
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("person-1"), &json!("app"))
    );
    assert_eq!(claims["auth_time"], world.now());
}

#[tokio::test]
async fn they_are_revoked_introspected_and_stored_like_others() {
    let world = jwt_world(&SigningKeys::new([key(SigningAlgorithm::Es256)]).unwrap());
    let token = world.login().await;
    let access = token.access_token();
    assert!(!world.tokens.dump().to_string().contains(access));
    let asked = as_client("resource", &[("token", access)]);
    assert!(world.server.introspect(&asked).await.unwrap().is_active());
    let refreshed = world.refresh(token.refresh_token().unwrap()).await.unwrap();
    assert_eq!(refreshed.access_token().split('.').count(), 3);

    let revoked = as_client("app", &[("token", access)]);
    world.server.revoke(&revoked).await.unwrap();
    assert!(!world.server.introspect(&asked).await.unwrap().is_active());
    // What was signed is good for nothing that was not stored.
    let (head, _) = refreshed.access_token().rsplit_once('.').unwrap();
    assert!(!world.is_live(&format!("{head}.AAAA")).await);
    assert!(world.is_live(refreshed.access_token()).await);
}

#[tokio::test]
async fn a_client_decides_for_itself() {
    let keys = SigningKeys::new([key(SigningAlgorithm::Es256)]).unwrap();
    let world = jwt_world(&keys);
    let opaque = app("other").jwt_access_tokens(false).build().unwrap();
    world.clients.insert(opaque);
    let token = world
        .server
        .token(&as_client("other", &[GRANT]))
        .await
        .unwrap();
    assert!(!token.access_token().contains('.'));
    assert!(
        world
            .token(&[GRANT])
            .await
            .unwrap()
            .access_token()
            .contains('.')
    );
}

#[tokio::test]
async fn without_a_key_nothing_is_signed() {
    let builder = AuthorizationServer::builder(ISSUER).jwt_access_tokens(true);
    assert!(builder.build().is_err());
    assert!(SigningKeys::new([]).is_err());

    let world = world();
    let client = app("app").jwt_access_tokens(true);
    world.clients.insert(client.build().unwrap());
    assert_refused(world.token(&[GRANT]).await, 503, TemporarilyUnavailable);
    assert_eq!(world.server.jwks(), json!({ "keys": [] }));
}

#[tokio::test]
async fn keys_rotate() {
    let (old, new) = (key(SigningAlgorithm::Es256), key(SigningAlgorithm::Rs256));
    let keys = SigningKeys::new([old.clone()]).unwrap();
    let world = jwt_world(&keys);
    let kid = async || {
        let token = world.token(&[GRANT]).await.unwrap();
        let (header, _) = verified(token.access_token(), &world.server.jwks());
        header["kid"].as_str().unwrap().to_owned()
    };
    let before = world.token(&[GRANT]).await.unwrap();
    assert_eq!(kid().await, old.id());
    keys.replace([old.clone(), new.clone()]).unwrap();
    assert_eq!(kid().await, old.id(), "published first");
    keys.replace([new.clone(), old.clone()]).unwrap();
    assert_eq!(kid().await, new.id());
    verified(before.access_token(), &world.server.jwks());
    assert!(keys.replace([]).is_err());
    keys.replace([new.clone()]).unwrap();
    let jwks = world.server.jwks();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1);
    assert!(
        world.is_live(before.access_token()).await,
        "it is stored all the same"
    );

    let shown = format!("{keys:?} {jwks} {:?}", world.server);
    for secret in ["PRIVATE", "\"d\"", "\"p\"", SECRET] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn authentication_comes_first() {
    let world = jwt_world(&SigningKeys::new([key(SigningAlgorithm::Es256)]).unwrap());
    let answer = world.server.token(&form(&[GRANT])).await;
    assert_refused(answer, 401, oauth_server::ErrorCode::InvalidClient);
}
